//! Policies of different lengths.

use std::fmt::Write as _;

use domain::policy::Policy;

/// The rules that a deployment begins with.
const RULES: &str = "rules:
  - { id: exploited, match: { known_exploited: true }, then: [alert, quarantine], overrides_waivers: true }
  - { id: fixable, match: { severity: [CRITICAL], fix_available: true }, then: [alert, quarantine], grace_days: 2 }
  - { id: likely, match: { severity_at_least: HIGH, epss_at_least: 0.1 }, then: [alert] }
";

/// A policy with so many rules besides, each for vulnerabilities and packages by name, and so many waivers.
pub fn policy(rules: usize, waivers: usize) -> Policy {
    let mut text = RULES.to_owned();
    for number in 0..rules {
        let _ = writeln!(
            text,
            "  - {{ id: r{number}, match: {{ vulnerabilities: [\"CVE-20{:02}-9*\"], packages: [\"*-x{number}\"] }}, then: [alert] }}",
            number % 30,
        );
    }
    text += "waivers:\n";
    for number in 0..waivers {
        let _ = writeln!(
            text,
            "  - {{ vulnerability: CVE-2020-{number:05}, repositories: [\"shop/*\"], reason: r, owner: o, expires: 2030-01-01 }}",
        );
    }
    let text = if waivers == 0 { text.replace("waivers:\n", "") } else { text };
    Policy::read_deployed(&text, "policy.yaml").unwrap()
}
