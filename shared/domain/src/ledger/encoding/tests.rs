use std::collections::{BTreeMap, BTreeSet};

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::image::ImageId;
use crate::samples;

fn any_time() -> impl Strategy<Value = Timestamp> {
    let last = crate::time::whole_milliseconds(Timestamp::MAX);
    let millis = Timestamp::MIN.as_millisecond()..=last.as_millisecond();
    prop_oneof![
        8 => millis.prop_map(|millis| Timestamp::from_millisecond(millis).unwrap()),
        1 => Just(crate::time::whole_milliseconds(Timestamp::MIN)),
        1 => Just(last),
    ]
}

fn any_id() -> impl Strategy<Value = String> {
    prop_oneof![
        "arn:aws:inspector2:eu-west-1:111122223333:finding/[0-9a-f]{32}",
        // Nearly that: upper case, too short, another account, another partition.
        "arn:aws:inspector2:eu-west-1:111122223333:finding/[0-9A-F]{32}",
        "arn:aws:inspector2:eu-west-1:111122223333:finding/[0-9a-f]{31}",
        "arn:aws:inspector2:eu-west-1:111122223333:finding/[0-9a-f]{33}",
        "arn:aws:inspector2:eu-west-1:999900001111:finding/[0-9a-f]{32}",
        "arn:aws-cn:inspector2:eu-west-1:111122223333:finding/[0-9a-f]{32}",
        "\\PC{0,12}",
    ]
}

fn any_severity() -> impl Strategy<Value = Severity> {
    prop_oneof![select(Severity::KNOWN.to_vec()), "\\PC{0,12}".prop_map(|name| Severity::from(name.as_str())),]
}

fn any_package() -> impl Strategy<Value = Package> {
    ("\\PC{0,8}", "[0-9.]{0,6}", proptest::option::of("[0-9.]{0,6}"))
        .prop_map(|(name, version, fixed_in)| Package { name, version, fixed_in })
}

fn any_entry() -> impl Strategy<Value = (Entry, AnnouncedFinding)> {
    let named = (any_id(), "\\PC{0,12}", any_severity(), vec(any_package(), 0..4));
    let times = (any_time(), any_time(), any_time());
    let rated = (
        proptest::option::of((0_u8..=100).prop_map(Score::from_tenths)),
        proptest::option::of((0_u32..=1_000_000).prop_map(Epss::from_millionths)),
        proptest::option::of(any::<bool>()),
        select(vec![Fix::Unknown, Fix::No, Fix::Partial, Fix::Yes]),
        select(vec![Status::Active, Status::Suppressed, Status::Closed]),
        select(vec![Source::Inspector, Source::Basic]),
    );
    let announced = (any::<[bool; 5]>(), proptest::option::of(any_severity()));
    let before = proptest::option::of((any_time(), any::<bool>()));
    (named, times, rated, (any::<bool>(), before), announced).prop_map(
        |(
            (id, vulnerability, severity, packages),
            (updated_at, first_seen, last_seen),
            (score, epss, exploit, fix, status, source),
            (listed, before),
            ([open, waived, alert, quarantine, exploited], announced_severity),
        )| {
            let finding = Finding {
                updated_at,
                status,
                severity,
                id,
                source,
                vulnerability,
                score,
                epss,
                exploit,
                fix,
                packages,
                last_seen,
                first_seen,
            };
            let severity = announced_severity;
            let announced = AnnouncedFinding { open, waived, alert, quarantine, exploited, severity };
            let mut entry = Entry { listed, ..Entry::new(finding) };
            if let (Status::Closed, Some((at, suppressed))) = (entry.finding.status, before) {
                entry.last_open = Some((at, if suppressed { Status::Suppressed } else { Status::Active }));
            }
            (entry, announced)
        },
    )
}

fn any_findings() -> impl Strategy<Value = Vec<(Entry, AnnouncedFinding)>> {
    vec(any_entry(), 0..12)
}

/// What nothing was said of has no entry in the memory.
fn ledger(findings: Vec<(Entry, AnnouncedFinding)>, exploitation: BTreeMap<String, Exploitation>) -> Ledger {
    let mut ledger = Ledger::new(samples::image());
    ledger.facts.exploitation = exploitation;
    for (entry, announced) in findings {
        let id = entry.finding.id.clone();
        ledger.announced.findings.remove(&id);
        if announced != AnnouncedFinding::default() {
            ledger.announced.findings.insert(id.clone(), announced);
        }
        ledger.facts.findings.insert(id, entry);
    }
    ledger
}

fn decoded(bytes: &[u8]) -> Result<Ledger, EncodingError> {
    let mut ledger = Ledger::new(samples::image());
    decode(bytes, &mut ledger)?;
    Ok(ledger)
}

fn any_exploitation() -> impl Strategy<Value = BTreeMap<String, Exploitation>> {
    let dates = (proptest::option::of(any_time()), proptest::option::of(any_time()));
    let known = proptest::option::of(dates.prop_map(|(added, due)| KnownExploited { added, due }));
    let answer = (any_time(), known).prop_map(|(asked_at, known)| Exploitation { asked_at, known });
    btree_map("\\PC{0,12}", answer, 0..4)
}

proptest! {
    #[test]
    fn what_is_packed_is_unpacked_unchanged(
        findings in any_findings(),
        exploitation in any_exploitation(),
        // An index remembers what was announced of findings that are in other ledgers.
        elsewhere in vec(any_entry(), 0..4),
    ) {
        let mut ledger = ledger(findings, exploitation);
        for (entry, announced) in elsewhere {
            if !ledger.facts.findings.contains_key(&entry.finding.id) {
                ledger.announced.findings.insert(entry.finding.id, announced);
            }
        }
        prop_assert_eq!(decoded(&encode(&ledger).unwrap()).unwrap(), ledger);
    }

    #[test]
    fn truncated_bytes_are_an_error(
        findings in any_findings(),
        end in any::<proptest::sample::Index>(),
    ) {
        let bytes = encode(&ledger(findings, BTreeMap::new())).unwrap();
        prop_assert!(decoded(&bytes[..end.index(bytes.len())]).is_err());
    }

    /// A few bits of a frame's header mean nothing, so a flip may go unnoticed; but then nothing is lost.
    #[test]
    fn flipped_bits_never_give_other_findings(
        findings in any_findings(),
        flips in vec((any::<proptest::sample::Index>(), 1_u8..), 1..4),
    ) {
        let ledger = ledger(findings, BTreeMap::new());
        let mut bytes = encode(&ledger).unwrap();
        for (place, mask) in flips {
            let place = place.index(bytes.len());
            bytes[place] ^= mask;
        }
        if let Ok(unpacked) = decoded(&bytes) {
            prop_assert_eq!(unpacked, ledger);
        }
    }

    #[test]
    fn arbitrary_bytes_are_an_error(mut bytes in vec(any::<u8>(), 0..200), framed in any::<bool>()) {
        if framed {
            // Past the compression, so that the columns themselves are nonsense.
            bytes = zstd::bulk::compress(&bytes, LEVEL).unwrap();
        }
        bytes.insert(0, FORMAT);
        // Nonsense may be readable columns by chance, but only of a ledger without findings.
        if let Ok(ledger) = decoded(&bytes) {
            prop_assert!(ledger.facts.findings.is_empty());
        }
    }
}

#[test]
fn newer_format_is_refused_by_its_number() {
    let mut bytes = encode(&Ledger::new(samples::image())).unwrap();
    bytes[0] = FORMAT + 1;
    assert!(matches!(decoded(&bytes), Err(EncodingError::Format(4))));
    assert!(matches!(decoded(&[]), Err(EncodingError::Damaged("empty"))));
}

/// Two findings as format 1 stored them, of regions whose partitions it got right and wrong.
#[test]
fn format_1_is_read_with_the_ids_that_it_wrote() {
    for region in ["eu-west-1", "cn-north-1", "eusc-de-east-1"] {
        let image = ImageId { region: region.to_owned(), ..samples::image() };
        let prefix = format_1::arn_prefix(&image);
        let columns = Columns {
            texts: ["CVE-1", "CVE-2", "HIGH"].map(str::to_owned).into(),
            random_ids: vec![[0; 16], [0xab; 16]],
            ids: vec![0, 0],
            sources: vec![Source::Inspector; 2],
            vulnerabilities: vec![0, 1],
            severities: vec![2, 2],
            statuses: vec![Status::Active, Status::Closed],
            scores: vec![0, 0],
            epss: vec![0, 0],
            exploits: vec![None, None],
            fixes: vec![Fix::Unknown; 2],
            package_counts: vec![0, 0],
            first_seen: vec![0, 0],
            last_seen: vec![0, 0],
            updated_at: vec![5, 6],
            listed: vec![true, false],
            announced: vec![1, 0],
            announced_severities: vec![0, 0],
            ..Columns::default()
        };
        let mut bytes = vec![1];
        bytes.extend(compressor().unwrap().compress(&postcard::to_stdvec(&columns).unwrap()).unwrap());
        let mut ledger = Ledger::new(image);
        decode(&bytes, &mut ledger).unwrap();
        let ids: Vec<&str> = ledger.facts.findings.keys().map(String::as_str).collect();
        assert_eq!(ids, [format!("{prefix}{:0>32}", ""), format!("{prefix}{}", "ab".repeat(16))]);
        assert!(ledger.announced.findings[ids[0]].open);
        assert_eq!(ledger.facts.findings[ids[1]].last_open, None);
        let mut again = Ledger::new(ledger.image.clone());
        decode(&encode(&ledger).unwrap(), &mut again).unwrap();
        assert_eq!(again.facts.findings, ledger.facts.findings, "later formats keep the ids");
    }
}

/// Sebastiano Vigna's `SplitMix64`: small, seeded, and as good as random for a compressor.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// Findings as an image with a large, old operating system and many libraries has them: distinct CVEs, random
/// ARNs, 400 packages of which a few have most findings, times in milliseconds, most of them first seen by
/// the initial scan and some updated since.
fn realistic(count: usize) -> Vec<(Entry, AnnouncedFinding)> {
    let mut random = Random(42);
    let packages: Vec<(String, String)> = (0..400)
        .map(|n| {
            let name =
                format!("{}{n}", random.pick(&["lib", "python3-", "linux-headers-", "golang-", "perl-"]));
            let version = format!(
                "{}.{}.{}-{}ubuntu{}",
                random.below(9),
                random.below(30),
                random.below(20),
                random.below(9),
                random.below(9)
            );
            (name, version)
        })
        .collect();
    let mut numbers = BTreeSet::new();
    while numbers.len() < count {
        numbers.insert((2014 + random.below(13), 1_000 + random.below(59_000)));
    }
    let first_scan = samples::second(0).as_millisecond();
    let mut millis = |of: i64| first_scan + i64::try_from(random.below(of.unsigned_abs())).unwrap();
    let times: Vec<[i64; 3]> = (0..count)
        .map(|n| {
            let first_seen = if n % 10 < 8 { millis(30_000) } else { millis(180 * 86_400_000) };
            let last_seen =
                if n % 2 == 0 { first_seen } else { first_seen + millis(86_400_000) - first_scan };
            let updated_at = if n % 4 == 0 { last_seen + millis(3_600_000) - first_scan } else { last_seen };
            [first_seen, last_seen, updated_at]
        })
        .collect();
    let time = |millis| Timestamp::from_millisecond(millis).unwrap();
    numbers
        .into_iter()
        .zip(times)
        .map(|((year, number), [first_seen, last_seen, updated_at])| {
            let id = format!(
                "arn:aws:inspector2:eu-west-1:111122223333:finding/{:016x}{:016x}",
                random.next(),
                random.next()
            );
            // The product of two makes the first packages the likeliest, as kernels and browsers are.
            let packages = (0..=random.below(3))
                .map(|_| {
                    let place = random.below(400) * random.below(400) / 400;
                    let (name, version) = &packages[usize::try_from(place).unwrap()];
                    let fixed_in = (random.below(10) < 7).then(|| format!("{version}.{}", random.below(8)));
                    Package { name: name.clone(), version: version.clone(), fixed_in }
                })
                .collect::<BTreeSet<_>>();
            let severity = match random.below(100) {
                0..4 => Severity::Critical,
                4..30 => Severity::High,
                30..80 => Severity::Medium,
                80..90 => Severity::Low,
                _ => Severity::Untriaged,
            };
            let announced = AnnouncedFinding {
                open: true,
                alert: severity >= Severity::High,
                quarantine: severity == Severity::Critical,
                severity: Some(severity.clone()),
                ..AnnouncedFinding::default()
            };
            let finding = Finding {
                updated_at: time(updated_at),
                status: Status::Active,
                severity,
                id,
                source: Source::Inspector,
                vulnerability: format!("CVE-{year}-{number}"),
                score: Some(Score::from_tenths(u8::try_from(30 + random.below(70)).unwrap())),
                // FIRST publishes five decimals, most of them small.
                epss: Some(Epss::from_millionths(
                    u32::try_from(random.below(1_000) * random.below(100)).unwrap() * 10,
                )),
                exploit: Some(random.below(10) == 0),
                fix: random.pick(&[Fix::Yes, Fix::Yes, Fix::No, Fix::Partial]),
                packages: packages.into_iter().collect(),
                last_seen: time(last_seen),
                first_seen: time(first_seen),
            };
            (Entry { listed: true, ..Entry::new(finding) }, announced)
        })
        .collect()
}

#[test]
fn ten_thousand_findings_fit_into_one_item() {
    let ledger = ledger(realistic(10_000), BTreeMap::new());
    assert_eq!(ledger.facts.findings.len(), 10_000);
    let bytes = encode(&ledger).unwrap().len();
    println!("{}.{:04} bytes per finding", bytes / 10_000, bytes % 10_000);
    // At most 40 bytes a finding, which leaves room for the rest of the item.
    assert!(bytes <= 400_000, "{bytes} bytes");
}
