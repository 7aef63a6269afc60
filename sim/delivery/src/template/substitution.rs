//! The text of `Fn::Sub`.

/// Replaces every `${Name}` by its value; `${!Name}` stands for `${Name}` itself.
pub(super) fn substitute(
    text: &str,
    value_of: impl Fn(&str) -> Result<String, String>,
) -> Result<String, String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after.split_once('}').ok_or_else(|| format!("`{text}` has an open `${{`"))?;
        result.push_str(before);
        match name.strip_prefix('!') {
            Some(literal) => {
                result.push_str("${");
                result.push_str(literal);
                result.push('}');
            }
            None => result.push_str(&value_of(name)?),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}
