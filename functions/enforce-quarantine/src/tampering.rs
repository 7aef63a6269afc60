//! What others do to an image under quarantine: it is put right at once, and people are told once, with who did it where
//! that is learnt in time.

use aws::dynamodb::{NotesError, Stored};
use aws::sqs::{DelayedMessage, Queue};
use domain::image::ImageId;
use domain::notice::{About, Aftermath, Notice, name_tags};
use domain::quarantine::tampering::{Account, Basis, Sighting, found};
use domain::quarantine::{Mode, Note, Notes, Registered, Step, tag, wake};
use domain::verdict::Verdict;

use crate::{EnforceQuarantine, QuarantineError, Wanted};

/// What the messages about an image say besides that it is due.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    /// What events say was done to it.
    pub(crate) seen: Vec<Sighting>,
    /// Whether people may have to be told by now.
    pub(crate) wake: bool,
    /// Whether this invocation has changed the registry. What is found then may be its own doing.
    pub(crate) touched: bool,
}

impl Prompt {
    pub(crate) fn of(prompts: Vec<Self>) -> Self {
        let wake = prompts.iter().any(|prompt| prompt.wake);
        Self { seen: prompts.into_iter().flat_map(|prompt| prompt.seen).collect(), wake, touched: false }
    }
}

impl EnforceQuarantine {
    /// Looks at an image of which its tag may be all that is known, because somebody put that on another image.
    pub(crate) async fn enforce_whole(&self, image: &ImageId, prompt: Prompt) -> Result<(), QuarantineError> {
        if image.digest.is_whole() {
            return self.enforce(image, prompt).await;
        }
        if let Some(whole) = self.registry.complete(image).await? {
            return self.enforce(&whole, prompt).await;
        }
        tracing::info!(%image, "somebody used a quarantine tag of an image that is not there");
        Ok(())
    }

    fn basis(&self, wanted: &Wanted, mode: Mode, registered: &Registered) -> Basis {
        Basis::new(&wanted.episode, mode, self.choices.untag_mutable, registered)
    }

    /// Notes what others did, before any of the steps that put it right; and what events say of it.
    pub(crate) async fn watch(
        &self,
        image: &ImageId,
        (wanted, mode): (&Wanted, Mode),
        registered: Option<&Registered>,
        steps: &mut Vec<Step>,
        prompt: &Prompt,
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        let held = wanted.holds(mode, &notes.value);
        let basis = registered.filter(|_| held).map(|registered| self.basis(wanted, mode, registered));
        let found = basis.filter(|_| !prompt.touched).and_then(|b| found(image, &notes.value, &b, steps));
        let now = self.clock.now();
        let mut changed = false;
        if let Some(found) = found {
            // A newer verdict may have led another invocation to change the image.
            let newest = self.wanted(image).await?;
            if self.as_noted(image, newest, &notes.value).await? != *wanted {
                return Err(NotesError::Conflict(image.to_string()).into());
            }
            tracing::warn!(%image, ?found, "somebody changed an image under quarantine");
            // In the same write, so that it is counted once.
            let is_note = |step: &Step| *step == Step::Note(Note::RestoredByOthers);
            if steps.iter().any(is_note) {
                steps.retain(|step| !is_note(step));
                notes.value.take(Note::RestoredByOthers, now);
            }
            changed |= notes.value.take(Note::Disturbed(found), now);
        }
        if !prompt.seen.is_empty() && notes.value.take(Note::Seen(prompt.seen.clone()), now) {
            for actor in prompt.seen.iter().filter_map(|sighting| sighting.actor.as_ref()) {
                tracing::info!(%image, who = actor.who.arn, at = %actor.at, "it is known who did it");
            }
            changed = true;
        }
        if changed {
            self.memory.store_notes(image, notes, now).await?;
        }
        // A release forgets the quarantine, and what others did during it.
        if !held && wanted.verdict == Verdict::Clear && notes.value.tampering.due().is_some() {
            self.tell_of_tampering(image, Aftermath::Released, notes).await?;
        }
        Ok(())
    }

    /// Notes that the registry agrees, after these steps, and has people told of what others did.
    pub(crate) async fn conclude(
        &self,
        image: &ImageId,
        (wanted, mode): (&Wanted, Mode),
        registered: Option<&Registered>,
        marked: bool,
        prompt: &mut Prompt,
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        if let Some(registered) = registered
            && wanted.holds(mode, &notes.value)
            && (marked || registered.tags.contains(&tag(image)))
        {
            self.note(image, notes, Note::Agrees(self.basis(wanted, mode, registered))).await?;
        }
        let Some(due) = notes.value.tampering.due() else { return Ok(()) };
        let now = self.clock.now();
        if due <= now {
            let aftermath = registered.map_or(Aftermath::Gone, |_| Aftermath::PutRight);
            return self.tell_of_tampering(image, aftermath, notes).await;
        }
        let is_under_way = notes.value.tampering.unsaid.as_ref().is_some_and(|account| account.wake);
        if is_under_way && !prompt.wake {
            return Ok(());
        }
        let seconds = due.duration_since(now).as_secs().saturating_add(1);
        let delay_seconds = u16::try_from(seconds).unwrap_or(u16::MAX).min(Queue::LONGEST_DELAY);
        let message = DelayedMessage { delay_seconds, ..DelayedMessage::now(wake(image)) };
        self.queue.send_all(vec![message]).await?;
        prompt.wake = false;
        self.note(image, notes, Note::Wake(true)).await
    }

    /// It is said before it is noted: a crash in between says it again, with the same id, and raise-alerts does nothing
    /// twice.
    async fn tell_of_tampering(
        &self,
        image: &ImageId,
        aftermath: Aftermath,
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        let Notes { tampering, quarantine, .. } = &notes.value;
        let Some(account) = &tampering.unsaid else { return Ok(()) };
        let episode = quarantine.as_ref().map_or_else(|| image.to_string(), |episode| episode.id.clone());
        let id = format!("{episode}#tampering#{}", account.since.as_millisecond());
        let mode = notes.value.mode().unwrap_or_default();
        let about = about(image, mode, account, tampering.is_repeated(), aftermath);
        self.announcements.notify(&Notice::new(id, self.clock.now(), about)).await?;
        self.note(image, notes, Note::TamperingSaid).await
    }
}

fn about(image: &ImageId, mode: Mode, account: &Account, repeated: bool, aftermath: Aftermath) -> About {
    let Account { found, times, actors, at, since, .. } = account;
    let (tags, more_tags) = name_tags(&found.tags.iter().cloned().collect::<Vec<_>>());
    About::Tampered {
        image: image.clone(),
        mode,
        mark_removed: found.mark_removed,
        tags,
        more_tags,
        restored: found.restored,
        times: *times,
        since: at.unwrap_or(*since),
        actors: actors.clone(),
        repeated,
        aftermath,
    }
}
