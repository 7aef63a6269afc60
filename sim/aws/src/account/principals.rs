//! Who the callers are, as `CloudTrail` names them: `CloudTrail` user guide, "`CloudTrail` userIdentity element".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::shared::Shared;

/// By caller, the role and the session's name.
#[derive(Clone, Default)]
pub(crate) struct Principals(Shared<BTreeMap<String, (String, String)>>);

impl Principals {
    pub(crate) fn let_assume(&self, caller: &str, role: &str, session: &str) {
        let assumed = (role.to_owned(), session.to_owned());
        self.0.with(|known| known.insert(caller.to_owned(), assumed));
    }

    /// The `userIdentity` of a caller.
    pub(crate) fn identity(&self, account: &str, caller: &str) -> Value {
        let known = self.0.with(|known| known.get(caller).cloned());
        let (role, session) = match (known, caller) {
            (Some(known), _) => known,
            (None, "") => ("ecr-warden".to_owned(), "local".to_owned()),
            (None, name) => (name.to_owned(), name.to_owned()),
        };
        let id = "AROASIMULATEDAWS";
        json!({
            "type": "AssumedRole",
            "principalId": format!("{id}:{session}"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/{session}"),
            "accountId": account,
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": id,
                    "arn": format!("arn:aws:iam::{account}:role/{role}"),
                    "accountId": account,
                    "userName": role,
                },
            },
        })
    }
}
