//! The form for chat: what Amazon Q Developer in chat applications takes from SNS and shows in Slack or Microsoft Teams.
//! Pure. <https://docs.aws.amazon.com/chatbot/latest/adminguide/custom-notifs.html>
//!
//! It drops what has not this form. The text stands in a block of code, where no markdown and no address is
//! interpreted; everything else is made safe here.

use aws::sns::{Attribute, Notification};
use serde_json::json;

/// How many characters of the text are shown. Slack shows 3,000 in one block, the fence and the last line included:
/// <https://docs.slack.dev/reference/block-kit/blocks/section-block>.
const SHOWN: usize = 2_700;
/// How many of several owners, repositories or images are named.
const NAMED: usize = 5;
/// What stands before each value of the text; see [`to_do`].
const TO_DO: &str = "To do    ";

/// The message. What belongs to one `thread` is shown as one, if the channel is set up for that.
pub(crate) fn message(sent: &Notification, thread: &str, images: &[String]) -> String {
    let values = |name: &str| -> Vec<String> {
        let values = match sent.attributes.get(name) {
            Some(Attribute::One(value)) => std::slice::from_ref(value),
            Some(Attribute::Many(values)) => values.as_slice(),
            None => &[],
        };
        let told = values.iter().filter(|value| !value.eq_ignore_ascii_case("none"));
        told.take(NAMED).map(|value| inline(value)).collect()
    };
    let named = ["severity", "verdict", "notice", "owner", "environment", "repository"];
    let context: serde_json::Map<String, serde_json::Value> = named
        .into_iter()
        .map(|name| (name.to_owned(), values(name).join(", ")))
        .filter(|(_, told)| !told.is_empty())
        .map(|(name, told)| (name, told.into()))
        .collect();
    let keywords: Vec<String> =
        ["severity", "verdict", "notice", "owner"].into_iter().flat_map(values).collect();
    let kind = if sent.attributes.contains_key("notice") { "notice" } else { "alert" };
    let title = inline(&sent.subject);
    json!({
        "version": "1.0",
        "source": "custom",
        "content": {
            "textType": "client-markdown",
            "title": title,
            "description": block(&sent.text),
            "nextSteps": to_do(&sent.text).map(inline).into_iter().collect::<Vec<_>>(),
            "keywords": keywords,
        },
        "metadata": {
            "threadId": thread,
            "summary": title,
            "eventType": format!("ecr-warden {kind}"),
            "relatedResources": images.iter().take(NAMED).collect::<Vec<_>>(),
            "additionalContext": context,
        },
    })
    .to_string()
}

/// What to do, without the commands that may follow it.
fn to_do(text: &str) -> Option<&str> {
    text.lines().find_map(|line| line.strip_prefix(TO_DO))
}

/// The text as a block of code, cut at the end of a line.
fn block(text: &str) -> String {
    let mut shown = String::new();
    let (mut characters, mut left_out) = (0, 0);
    for line in text.trim_end().lines() {
        characters += line.chars().count() + 1;
        if characters > SHOWN {
            left_out += 1;
        } else {
            shown.push_str(&harmless(line));
            shown.push('\n');
        }
    }
    if left_out > 0 {
        shown.push_str("... the rest is in the other forms of this alert\n");
    }
    format!("```\n{shown}```")
}

/// Text that stands outside of the block: it has no markup and no address that a click could follow.
fn inline(text: &str) -> String {
    let plain = |c: char| match c {
        '*' | '~' | '_' | '|' => ' ',
        '[' => '(',
        ']' => ')',
        c => c,
    };
    harmless(text).replace("://", ": //").chars().map(plain).collect()
}

/// Text that ends no block of code and mentions nobody. Slack writes mentions as `<@U012>` and `<!here>`, Teams as
/// `<at>...</at>`, and either may understand a bare `@here`. An `@` within a name stays, for image names have one.
fn harmless(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        let within = safe.chars().last().is_some_and(char::is_alphanumeric);
        safe.push(match c {
            '<' => '‹',
            '>' => '›',
            '`' => '\'',
            '@' if !within => '＠',
            c => c,
        });
    }
    safe
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    const HOSTILE: &str = "<!channel> <@U012> <at>all</at> @here `rm` ```\n*b* [x](https://evil.example) ~s~";

    fn sent(subject: &str, text: &str) -> Notification {
        let attributes = BTreeMap::from([
            ("severity".to_owned(), Attribute::One("CRITICAL".to_owned())),
            ("environment".to_owned(), Attribute::One("none".to_owned())),
            ("owner".to_owned(), Attribute::Many(vec!["team-shop".to_owned(), HOSTILE.to_owned()])),
        ]);
        Notification { subject: subject.to_owned(), text: text.to_owned(), json: "{}".to_owned(), attributes }
    }

    fn read(sent: &Notification) -> Value {
        serde_json::from_str(&message(sent, "shop@ab12", &["arn:aws:ecr:image".to_owned()])).unwrap()
    }

    #[test]
    fn message_has_the_documented_form() {
        let text =
            "prod/cart:2.7 is quarantined.\n\nTags     2.7\nTo do    rebuild\n         docker build .\n";
        let mut sent = sent("QUARANTINE: prod/cart:2.7", text);
        sent.attributes.remove("owner");
        assert_eq!(
            read(&sent),
            json!({
                "version": "1.0",
                "source": "custom",
                "content": {
                    "textType": "client-markdown",
                    "title": "QUARANTINE: prod/cart:2.7",
                    "description": "```\nprod/cart:2.7 is quarantined.\n\nTags     2.7\nTo do    rebuild\n         docker build .\n```",
                    "nextSteps": ["rebuild"],
                    "keywords": ["CRITICAL"],
                },
                "metadata": {
                    "threadId": "shop@ab12",
                    "summary": "QUARANTINE: prod/cart:2.7",
                    "eventType": "ecr-warden alert",
                    "relatedResources": ["arn:aws:ecr:image"],
                    "additionalContext": { "severity": "CRITICAL" },
                },
            })
        );
    }

    /// Every text of a message.
    fn texts(value: &Value) -> Vec<&str> {
        match value {
            Value::String(text) => vec![text],
            Value::Array(all) => all.iter().flat_map(texts).collect(),
            Value::Object(all) => all.values().flat_map(texts).collect(),
            _ => Vec::new(),
        }
    }

    #[test]
    fn hostile_names_mention_nobody_end_no_block_and_have_no_link() {
        let told = read(&sent(HOSTILE, &format!("{HOSTILE}\nTo do    {HOSTILE}\n")));
        let description = told["content"]["description"].as_str().unwrap();
        for text in texts(&told) {
            assert!(!text.contains(['<', '>']) && !text.contains("@here"), "{text}");
            if text != description {
                assert!(!text.contains(['`', '*', '~', '[', ']']) && !text.contains("://"), "{text}");
            }
        }
        assert_eq!(description.matches('`').count(), 6, "{description}");
        assert!(description.starts_with("```\n") && description.ends_with("\n```"), "{description}");
        assert!(texts(&told).iter().any(|text| text.contains("team-shop")));
    }

    #[test]
    fn name_of_an_image_keeps_its_at_sign() {
        let name = "prod/cart@ab12ab12ab12";
        let told = read(&sent(name, &format!("{name}\n")));
        assert_eq!(told["content"]["title"], name);
        assert_eq!(told["content"]["description"], format!("```\n{name}\n```"));
        assert_eq!(told["content"]["nextSteps"], json!([]));
    }

    #[test]
    fn long_text_is_cut_at_the_end_of_a_line_and_says_so() {
        let told = read(&sent("many", &"0123456789\n".repeat(1_000)));
        let description = told["content"]["description"].as_str().unwrap();
        assert!(description.chars().count() < 3_000);
        assert!(description.ends_with("\n0123456789\n... the rest is in the other forms of this alert\n```"));
    }
}
