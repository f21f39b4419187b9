//! The table of epochs that grows while a run trains.

use defrost::train::EpochRecord;

/// Fits a terminal of 80 columns.
const HEADING: &str = " stage              epoch   loss accuracy  val_loss val_accuracy learning_rate";

/// Prints the heading before the first epoch, and a stage's name in its first row only.
#[derive(Debug, Default)]
pub(crate) struct StageTable {
    stage: Option<String>,
}

impl StageTable {
    /// The lines of an epoch: the heading first, where it is the run's first.
    pub(crate) fn lines(&mut self, epoch: &EpochRecord) -> Vec<String> {
        let mut lines = Vec::new();
        if self.stage.is_none() {
            lines.push(HEADING.to_owned());
        }
        let known = self.stage.as_deref() == Some(epoch.stage.as_str());
        let name = if known { "" } else { epoch.stage.as_str() };
        lines.push(format!(
            " {name:<18} {:>5}  {:>5.3} {:>8.3}  {:>8.3} {:>12.3} {:>13}",
            epoch.epoch,
            epoch.loss,
            epoch.accuracy,
            epoch.val_loss,
            epoch.val_accuracy,
            scientific(epoch.learning_rate),
        ));
        self.stage = Some(epoch.stage.clone());
        lines
    }
}

/// `1e-03`, `7.5e-05`: Python's exponent, up to three digits.
pub(crate) fn scientific(value: f32) -> String {
    let text = format!("{value:.2e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let digits = if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits };
    match exponent.strip_prefix('-') {
        Some(exponent) => format!("{digits}e-{exponent:0>2}"),
        None if value.is_finite() => format!("{digits}e+{exponent:0>2}"),
        None => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_written_as_python_does() {
        let rates = [1e-3, 7.5e-5, 0.0, 1.0, 1.234e-12, f32::NAN].map(scientific);
        assert_eq!(rates, ["1e-03", "7.5e-05", "0e+00", "1e+00", "1.23e-12", "NaN"]);
    }

    #[test]
    fn a_stage_is_named_once() {
        let mut table = StageTable::default();
        let mut lines = Vec::new();
        for (epoch, stage) in [(1, "feature_extraction"), (2, "feature_extraction"), (3, "fine_tuning")] {
            let record = EpochRecord { epoch, stage: stage.to_owned(), learning_rate: 1e-3, ..EpochRecord::default() };
            lines.extend(table.lines(&record));
        }
        let numbers = "0.000    0.000     0.000        0.000         1e-03";
        assert_eq!(
            lines,
            [
                HEADING.to_owned(),
                format!(" feature_extraction     1  {numbers}"),
                format!("                        2  {numbers}"),
                format!(" fine_tuning            3  {numbers}"),
            ]
        );
    }
}
