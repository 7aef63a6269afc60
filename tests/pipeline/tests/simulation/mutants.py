#!/usr/bin/env python3
"""Plants faults in the product, one at a time, and says which history of the simulation finds each.

    tests/pipeline/tests/simulation/mutants.py                 # all of them, up to 10,000 histories each
    tests/pipeline/tests/simulation/mutants.py deletion claims # those whose names contain one of the words
    tests/pipeline/tests/simulation/mutants.py --check         # only whether each can still be planted
    MUTANT_HISTORIES=500 tests/pipeline/tests/simulation/mutants.py

Each mutant is a name, the invariant of ARCHITECTURE.md that it breaks, and what to replace with what in which file. It
refuses to begin with changes in those files that are not committed, and puts every file back as it was, also after an
interruption. It ends with 1 if a mutant is not found.
"""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
HISTORIES = os.environ.get("MUTANT_HISTORIES", "10000")
# Another cargo, such as one that waits its turn.
CARGO = os.environ.get("CARGO", "cargo")

MUTANTS = [
    ("a report that came last is believed", 1, [(
        "shared/domain/src/finding/mod.rs",
        "Self { first_seen, ..self.max(other) }",
        "Self { first_seen, ..other }",
    )]),
    ("no retry in enforce-quarantine", 2, [(
        "functions/enforce-quarantine/src/lib.rs",
        "Report::of(messages, outcome)",
        "Report::of(messages, outcome.or(Ok::<(), QuarantineError>(())))",
    )]),
    ("deletion of an image forgotten", 2, [(
        "shared/domain/src/ledger/merge.rs",
        "None => newest(&mut self.tags_since, action.at) | newest(&mut self.gone_at, action.at),",
        "None => false,",
    )]),
    ("removal of a tag forgotten", 2, [(
        "shared/domain/src/ledger/merge.rs",
        "Some(tag) => self.mark_tag(&tag, TagMark { at: action.at, present, withheld: false }),",
        "Some(tag) => present && self.mark_tag(&tag, TagMark { at: action.at, present, withheld: false }),",
    )]),
    ("images that are due are not sent again after a crash", 2, [(
        "shared/lambda/src/lineage.rs",
        "if !self.empty(stored).await? {",
        "if false {",
    )]),
    ("claims forget what is done", 3, [(
        "shared/aws/src/dynamodb/claims.rs",
        "(Some(_), None) => Ok(Claim::Done),",
        "(Some(_), None) => Ok(Claim::Ours { after_a_crash: false }),",
    )]),
    ("a duplicate is written", 4, [(
        "shared/domain/src/ledger/merge.rs",
        "let changed = joined != *entry;",
        "let changed = true;",
    )]),
    ("each finding is an update of its own", 5, [(
        "functions/assess-image/src/lib.rs",
        "let (messages, events) = batch::split(received);",
        "let (messages, events) = batch::split(received);\n            for event in events.iter().skip(1) {\n"
        "                let _ = Box::pin(self.update(&image, std::slice::from_ref(event))).await;\n            }",
    )]),
    ("a list that lags is believed", 6, [(
        "functions/assess-image/src/gather.rs",
        "let problem = if scan::agrees(counts, at, &found) {",
        "let problem = if true {",
    )]),
    ("unscanned platforms are clear", 6, [(
        "shared/domain/src/assessment/judge.rs",
        "_ if pending => Verdict::Pending,",
        "_ if pending && false => Verdict::Pending,",
    )]),
    ("closed is fixed", 7, [(
        "shared/domain/src/ledger/standing.rs",
        "        by_scan || by_coverage",
        "        by_scan || by_coverage || true",
    )]),
    ("the mark goes before another tag is on", 8, [(
        "shared/domain/src/quarantine/plan.rs",
        "plan.steps.extend([put, remove]);",
        "plan.steps.extend([remove, put]);",
    )]),
    ("tags that can move are taken off", 8, [(
        "shared/domain/src/quarantine/plan.rs",
        "cached || registered.mutability.can_move(tag) && !situation.untag_mutable",
        "cached",
    )]),
    ("removed tags are not noted", 8, [(
        "shared/domain/src/quarantine/plan.rs",
        "plan.steps.push(Step::Note(Note::Removing(noted)));",
        "let _: Vec<(String, bool)> = noted;",
    )]),
    ("what is archived is not restored", 8, [(
        "shared/domain/src/quarantine/plan.rs",
        '(Status::Archived, Some(_)) => return restore(situation, "the verdict is clear"),',
        '(Status::Archived, Some(_)) => return Plan::leave("the verdict is clear"),',
    )]),
    ("our own tags are pushes", 9, [
        ("template.yaml",
         "image-tag: [{ exists: false }, { anything-but: { prefix: [quarantine-, released-from-quarantine-] } }]",
         "image-tag: [{ exists: true }]"),
        ("functions/record-push/src/lib.rs",
         "if tag.is_some_and(|tag| is_quarantine_tag(&tag)) {",
         "if tag.is_some_and(|tag| is_quarantine_tag(&tag) && false) {"),
        ("shared/domain/src/ledger/merge.rs", "is_quarantine_tag(tag)", "(is_quarantine_tag(tag) && false)"),
    ]),
    ("what agrees is written", 9, [(
        "shared/domain/src/quarantine/plan.rs",
        "if !tags.contains(&mark) {\n        plan.steps.push(Step::Put(mark));",
        "if true {\n        plan.steps.push(Step::Put(mark));",
    )]),
    ("archiving is not granted", 10, [(
        "template.yaml", "ecr:UpdateImageStorageClass", "ecr:GetAuthorizationToken",
    )]),
    ("the end of a grace is no date", 11, [(
        "shared/domain/src/assessment/due.rs",
        "                    dates.note_grace(found.rule.quarantine_mode, from);",
        "                    let _ = from;",
    )]),
    ("the end of a waiver is no date", 11, [(
        "shared/domain/src/assessment/due.rs",
        "dates.others = dates.others.into_iter().chain(waiver.end()).min();",
        "let _ = waiver;",
    )]),
    ("a scan that does not come is no date", 11, [(
        "shared/domain/src/assessment/due.rs",
        "scan.into_iter().chain(coverage)",
        "scan.into_iter().filter(|_| false).chain(coverage)",
    )]),
    ("what is due is not sent", 11, [(
        "functions/sweep/src/due.rs",
        "if !images.is_empty() {",
        "if false {",
    )]),
    ("a new policy is noted and not applied", 11, [(
        "functions/sweep/src/policy.rs",
        "self.send(fitting, run).await?;",
        "",
    )]),
    ("changed findings are not looked at", 13, [(
        "functions/sweep/src/changes.rs",
        "Seen::of(finding, known.get(image).copied(), run.now) == Seen::Lost",
        "Seen::of(finding, known.get(image).copied(), run.now) == Seen::Lost && false",
    )]),
    ("the walk leaves out what is covered", 13, [(
        "shared/domain/src/sweep/walk.rs",
        "Stage::Indexes => Stage::Covered,",
        "Stage::Indexes => Stage::Registry,",
    )]),
    ("images that are gone are not asked about", 13, [(
        "functions/sweep/src/registry.rs",
        "missing.gone.into_iter().map(due)",
        "missing.gone.into_iter().map(due).filter(|_| false)",
    )]),
    ("other tags are not looked at", 13, [(
        "shared/domain/src/sweep/walk.rs",
        "there != said.iter().collect()",
        "there != said.iter().collect() && false",
    )]),
    ("what was there before is quarantined", 13, [(
        "shared/domain/src/assessment/judge.rs",
        "adopted.is_some_and(|adopted| {",
        "false && adopted.is_some_and(|adopted| {",
    )]),
    ("old images take no place under the limit", 12, [(
        "shared/domain/src/quarantine/claim.rs", "_ => Claim::Slot,", "_ => Claim::Free,",
    )]),
    ("a pause is over after an hour", 12, [(
        "shared/domain/src/quarantine/limit.rs",
        "if next.pause.is_none() && taken < per_hour {",
        "if taken < per_hour {",
    )]),
]


def run(*command, **variables):
    environment = {**os.environ, **variables}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)


def plant(edits):
    """Returns what was in the files before."""
    before = {}
    for name, search, replacement in edits:
        path = ROOT / name
        text = path.read_text()
        before.setdefault(path, text)
        path.write_text(text.replace(search, replacement))
    return before


def restore(before):
    for path, text in before.items():
        path.write_text(text)


def find(edits):
    """Plants a mutant and plays histories. Returns what came of it, and whether it was found."""
    before = plant(edits)
    try:
        built = run(CARGO, "test", "--workspace", "--profile", "simulation", "--test", "simulation", "--no-run")
        if built.returncode != 0:
            return f"does not build:\n{built.stderr[-2000:]}", False
        begin = time.monotonic()
        played = run(CARGO, "test", "--workspace", "--profile", "simulation", "--test", "simulation", "--", "--nocapture",
                     SIMULATION_HISTORIES=HISTORIES, RUST_BACKTRACE="0")
    finally:
        restore(before)
    failed = re.search(r"^history (\d+) fails", played.stderr, re.MULTILINE)
    if failed is None:
        return f"not found in {HISTORIES} histories", False
    reason = re.search(r"panicked at .*\n(.*)", played.stderr)
    seconds = time.monotonic() - begin
    return f"found by history {failed[1]} after {seconds:.0f} s: {reason[1][:160] if reason else ''}", True


def check():
    """Ends with 1 if what a mutant replaces is no longer there."""
    stale = [f"{name}: {file} no longer has {search!r}" for name, _, edits in MUTANTS for file, search, _ in edits
             if search not in (ROOT / file).read_text()]
    if stale:
        sys.exit("\n".join([*stale, "write these mutants anew"]))


def main():
    check()
    if sys.argv[1:] == ["--check"]:
        return
    chosen = [mutant for mutant in MUTANTS if not sys.argv[1:] or any(word in mutant[0] for word in sys.argv[1:])]
    files = sorted({name for _, _, edits in chosen for name, _, _ in edits})
    if run("git", "diff", "--quiet", "HEAD", "--", *files).returncode != 0:
        sys.exit("commit or stash your changes first")
    missed = 0
    for name, invariant, edits in chosen:
        outcome, found = find(edits)
        missed += not found
        print(f"invariant {invariant}, {name}: {outcome}", flush=True)
    sys.exit(1 if missed else 0)


if __name__ == "__main__":
    main()
