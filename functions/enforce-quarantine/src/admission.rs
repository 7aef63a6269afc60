//! Which images come under quarantine now, and which are held until a person lets them go on.

use aws::dynamodb::{NotesError, Stored};
use aws::sqs::DelayedMessage;
use domain::image::ImageId;
use domain::notice::{About, Notice};
use domain::quarantine::limit::Limit;
use domain::quarantine::{Claim, Deed, DeedKind, Mode, Note, Notes, Plan, Registered, claim, tag};
use domain::text::sanitize;

use crate::{EnforceQuarantine, QuarantineError, Wanted, message};

/// How often the limit is read again when other invocations change it in between.
const ATTEMPTS: u32 = 8;
/// How long to wait before people are told how many images are held, in seconds: most of them come at once.
const GATHER: u16 = 120;
/// How many of the images that are held a notice names.
const NAMED: usize = 20;

impl EnforceQuarantine {
    /// How far to go with an image; `None` if it is held, and nothing may be done. Clears `written` if the history could
    /// not be written. What comes under quarantine, or under a stricter one, is noted first, together with the place that it
    /// takes.
    pub(crate) async fn admit(
        &self,
        image: &ImageId,
        wanted: &Wanted,
        registered: Option<&Registered>,
        wish: &Plan,
        written: &mut bool,
        notes: &mut Stored<Notes>,
    ) -> Result<Option<Mode>, QuarantineError> {
        let is_marked = registered.is_some_and(|registered| registered.tags.contains(&tag(image)));
        let nothing_to_do = wish.steps.is_empty() && !is_marked;
        if !wanted.holds(wanted.mode, &notes.value) || nothing_to_do {
            self.let_go(image, notes).await?;
            return Ok(Some(wanted.mode));
        }
        let claimed = Note::Claimed { episode: wanted.episode.clone(), mode: wanted.mode };
        let now = self.clock.now();
        match claim(&notes.value, wanted.mode, is_marked, wanted.first_pushed, now) {
            Claim::Held => {
                if notes.value.mode() != Some(wanted.mode) {
                    self.note(image, notes, Note::Eased(wanted.mode)).await?;
                }
            }
            Claim::Slot if self.choices.per_hour > 0 => {
                if !self.take_place(image, claimed, written, notes).await? {
                    self.hold(image, written, notes).await?;
                    return Ok(notes.value.mode());
                }
            }
            Claim::Free | Claim::Slot => self.note(image, notes, claimed).await?,
        }
        self.let_go(image, notes).await?;
        Ok(Some(wanted.mode))
    }

    /// Takes an image from the list of those that are held, if it may be there.
    async fn let_go(&self, image: &ImageId, notes: &mut Stored<Notes>) -> Result<(), QuarantineError> {
        if notes.value.held.is_some() {
            self.memory.let_go(image).await?;
            self.note(image, notes, Note::LetGo).await?;
        }
        Ok(())
    }

    /// Takes a place and notes what it is for, both or neither, so that a retry takes no second one. Returns false if
    /// there is no place.
    async fn take_place(
        &self,
        image: &ImageId,
        claimed: Note,
        written: &mut bool,
        notes: &mut Stored<Notes>,
    ) -> Result<bool, QuarantineError> {
        let now = self.clock.now();
        let mut next = notes.clone();
        next.value.take(claimed, now);
        for _ in 0..ATTEMPTS {
            let mut limit = self.memory.limit().await?;
            let Some(taken) = limit.value.take(self.choices.per_hour, now) else { return Ok(false) };
            limit.value = taken;
            let resumed = self.resumed(notes, &limit.value);
            if let Some(deed) = resumed.clone() {
                next.value.take(Note::Doing(deed), now);
            }
            match self.memory.store_both(image, &mut next, &mut limit, now).await {
                Ok(()) => {
                    *notes = next;
                    if let Some(deed) = resumed {
                        *written &= self.write(image, &deed).await;
                    }
                    return Ok(true);
                }
                Err(NotesError::Conflict(_)) if self.memory.notes(image).await?.version == notes.version => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotesError::Conflict("limit#enforcement".to_owned()).into())
    }

    /// That a person let an image go on, if that is why it does.
    fn resumed(&self, notes: &Stored<Notes>, limit: &Limit) -> Option<Deed> {
        let held = notes.value.held?;
        let resumed = limit.resumed.last().filter(|resumed| resumed.at >= held)?;
        let (by, why) = (sanitize(&resumed.by), sanitize(&resumed.why));
        let done = vec![format!("{by} resumed {} quarantines", resumed.images)];
        Some(Deed::new(DeedKind::Resumed, self.clock.now(), notes.version + 1, done, why))
    }

    /// Remembers that an image is held, and makes sure that people are told. Each step can be repeated, and the message
    /// leaves its queue after the last one.
    async fn hold(
        &self,
        image: &ImageId,
        written: &mut bool,
        notes: &mut Stored<Notes>,
    ) -> Result<(), QuarantineError> {
        if notes.value.held.is_none() {
            let now = self.clock.now();
            let per_hour = self.choices.per_hour;
            let why = format!(
                "more than {per_hour} images that were there before would have come under quarantine in an hour"
            );
            let deed =
                Deed::new(DeedKind::Held, now, notes.version + 1, vec!["changed nothing".to_owned()], why);
            notes.value.take(Note::Held, now);
            self.note(image, notes, Note::Doing(deed.clone())).await?;
            *written &= self.write(image, &deed).await;
        }
        self.memory.hold(image).await?;
        for _ in 0..ATTEMPTS {
            let mut limit = self.memory.limit().await?;
            let paused = limit.value.pause(self.clock.now());
            if paused != limit.value {
                limit.value = paused;
                match self.memory.store_limit(&mut limit).await {
                    Ok(()) => {}
                    Err(NotesError::Conflict(_)) => continue,
                    Err(error) => return Err(error.into()),
                }
            }
            let Some(pause) = limit.value.pause.as_mut().filter(|pause| !pause.told) else { return Ok(()) };
            pause.told = true;
            let body = message::quarantines_held();
            self.queue
                .send_all(vec![DelayedMessage { delay_seconds: GATHER, ..DelayedMessage::now(body) }])
                .await?;
            match self.memory.store_limit(&mut limit).await {
                // Whoever changed it will send the message again, and the notice has the same id.
                Ok(()) | Err(NotesError::Conflict(_)) => return Ok(()),
                Err(error) => return Err(error.into()),
            }
        }
        Err(NotesError::Conflict("limit#enforcement".to_owned()).into())
    }

    /// Tells people how many images are held, and why.
    pub(crate) async fn tell_held(&self) -> Result<(), QuarantineError> {
        let Some(pause) = self.memory.limit().await?.value.pause else { return Ok(()) };
        let held = self.memory.held().await?;
        let about = About::QuarantinesHeld {
            held: held.len() as u64,
            per_hour: self.choices.per_hour,
            since: pause.since,
            images: held.into_iter().take(NAMED).collect(),
        };
        let id = format!("limit#held#{}", pause.since);
        Ok(self.announcements.notify(&Notice::new(id, self.clock.now(), about)).await?)
    }
}
