//! Means and medians inside a statement, for conditions and orders: exactly as they are written.
//!
//! A sum of halves is divided by long division in whole numbers of 64 bits, which both databases
//! do alike: PostgreSQL's NUMERIC would choose its own number of digits, and SQLite has floats.

use indexmap::IndexSet;

use super::measures::CUT;

/// `(high · 10^9 + low) / divisor`, rounded half away from zero to `digits` more digits. The texts
/// are of columns of the measures' select `d`; the divisor is below nine thousand million.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(super) struct Quotient {
    pub(super) high: String,
    pub(super) low: String,
    pub(super) divisor: String,
    /// At most 9.
    pub(super) digits: u32,
}

impl Quotient {
    /// Columns that one adds to a statement.
    pub(super) const COLUMNS: usize = 9;

    /// Adds to a select `q{i}` and `f{i}` of each: the whole part of the scaled number, rounded
    /// down, and the rest of it in units of the last digit.
    pub(super) fn select(quotients: &IndexSet<Self>, select: String) -> String {
        if quotients.is_empty() {
            return select;
        }
        STEPS.iter().fold(select, |inner, step| {
            let columns = quotients
                .iter()
                .enumerate()
                .flat_map(|(index, quotient)| quotient.step(step, index))
                .collect::<Vec<_>>()
                .join(", ");
            format!("SELECT d.*, {columns} FROM ({inner}) AS d")
        })
    }

    fn step(&self, step: Step, index: usize) -> Vec<String> {
        let cut = CUT.to_string();
        let power = 10_u64.pow(self.digits).to_string();
        let Self {
            high, low, divisor, ..
        } = self;
        step.iter()
            .map(|(text, name)| {
                let text = text
                    .replace("{high}", high)
                    .replace("{low}", &format!("({low})"))
                    .replace("{divisor}", divisor)
                    .replace("{cut}", &cut)
                    .replace("{power}", &power)
                    .replace('#', &index.to_string());
                format!("{text} AS {name}{index}")
            })
            .collect()
    }
}

/// Columns that follow from those before: text and name.
type Step = &'static [(&'static str, &'static str)];

const STEPS: [Step; 4] = [
    // The lower half is made positive.
    &[
        (
            "({high}) + ({low} - (({low} % {cut}) + {cut}) % {cut}) / {cut}",
            "h",
        ),
        ("(({low} % {cut}) + {cut}) % {cut}", "l"),
        ("{divisor}", "n"),
    ],
    // The upper half is divided, down; what is left of it goes on with the lower.
    &[
        ("(d.h# - ((d.h# % d.n#) + d.n#) % d.n#) / d.n#", "w"),
        ("(((d.h# % d.n#) + d.n#) % d.n#) * {cut} + d.l#", "t"),
    ],
    // So is the lower, and then the digits. Half of a negative number is rounded down.
    &[
        ("d.w# * {cut} + d.t# / d.n#", "v"),
        (
            "(2 * (d.t# % d.n#) * {power} + d.n# - CASE WHEN d.h# < 0 THEN 1 ELSE 0 END) / (2 * d.n#)",
            "r",
        ),
    ],
    // Rounded up to a whole, it is carried.
    &[("d.v# + d.r# / {power}", "q"), ("d.r# % {power}", "f")],
];
