//! Quarantine: the tags that mark an image, the mode that says how far to go, and the steps that make the registry agree
//! with a verdict. [`claim`] says whether an image may come under quarantine now, [`limit`] how many may in an hour,
//! [`plan`] what is then to be done. All of it is pure.

mod claim;
mod deed;
pub mod limit;
mod mode;
mod notes;
mod plan;
mod registered;
mod repository;
mod tag;
pub mod tampering;
mod whole;

use serde_json::{Value, json};

use crate::announcement::EVENT_SOURCE;
use crate::image::ImageId;
use tampering::Sighting;

/// The `detail-type` of a message that asks enforce-quarantine to look at an image again: its quarantine was held, a
/// mode has changed, or somebody did something to it. Its detail is an [`ImageId`], with `seen` if an event said
/// something of the image, and `wake` if people may have to be told of tampering by now.
pub const QUARANTINE_DUE: &str = "Quarantine Due";

/// That message for an image.
pub fn due(image: &ImageId) -> String {
    message(&json!(image))
}

/// That message because of an event about an image.
pub fn due_because(image: &ImageId, seen: &Sighting) -> String {
    let mut detail = json!(image);
    detail["seen"] = json!(seen);
    message(&detail)
}

/// That message so that people are told of tampering in time.
pub fn wake(image: &ImageId) -> String {
    let mut detail = json!(image);
    detail["wake"] = json!(true);
    message(&detail)
}

fn message(detail: &Value) -> String {
    json!({ "source": EVENT_SOURCE, "detail-type": QUARANTINE_DUE, "detail": detail }).to_string()
}

pub use claim::{Claim, NEW_FOR, claim, is_new};
pub use deed::{Deed, DeedKind};
pub use mode::Mode;
pub use notes::{Episode, Note, Notes, RemovedTag, Storage};
pub use plan::{Plan, Remark, Situation, Step, give_back_command, plan};
pub use registered::{Child, Mutability, Registered, RepositoryKind, Status};
pub use repository::{Destination, ReplicationRule, destinations};
pub use tag::{is_quarantine_tag, marked_by, released_tag, tag};
pub use whole::{Root, Whole};
