//! Words of `defrost train`.

use defrost::calibrate::Left;
use defrost::data::{Kind, TableKind};
use defrost::job::CalibrationOutcome;
use defrost::report::Lang;

use super::Words;

impl Words {
    pub(crate) fn data(self, path: &str, form: &str, pictures: usize, classes: usize, counts: &str) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "{path} ({form}) · {pictures} in {classes} classes ({counts})",
            "{path} ({form}) · {classes}개 클래스의 {pictures} ({counts})"
        )
    }

    /// The form of data that was seen.
    pub(crate) fn form(self, kind: Kind) -> String {
        match (self.0, kind) {
            (Lang::Korean, Kind::Folders) => "클래스별 폴더".to_owned(),
            (Lang::Korean, Kind::TarOfFolders) => "클래스별 폴더, tar 아카이브".to_owned(),
            (Lang::Korean, Kind::ZipOfFolders) => "클래스별 폴더, zip 아카이브".to_owned(),
            (Lang::Korean, Kind::Table(TableKind::Csv)) => "CSV 표".to_owned(),
            (Lang::Korean, Kind::Table(TableKind::Tsv)) => "TSV 표".to_owned(),
            (Lang::Korean, Kind::Table(TableKind::JsonLines)) => "JSON Lines 표".to_owned(),
            (Lang::Korean, Kind::Metadata) => "메타데이터 표가 있는 사진 폴더".to_owned(),
            (Lang::Korean, Kind::MetadataInArchive) => "메타데이터 표가 있는 사진 아카이브".to_owned(),
            // Names of their own.
            (_, kind) => kind.to_string(),
        }
    }

    pub(crate) fn excluded(self, pictures: usize) -> String {
        say!(self, " · {pictures} left out, as listed", " · 목록에 따라 제외한 사진 {pictures}장")
    }

    /// Pictures with another class than the data say, and pictures that the data don't have.
    pub(crate) fn relabelled(self, relabelled: usize, added: usize) -> String {
        say!(
            self,
            " · {relabelled} relabelled, {added} added, as marked",
            " · 표시에 따라 클래스를 바꾼 사진 {relabelled}장, 더한 사진 {added}장"
        )
    }

    /// An earlier split that was kept: pictures that it lists, new ones, missing ones.
    pub(crate) fn kept_split(self, path: &str, known: usize, added: usize, gone: usize) -> String {
        let gone = match (gone, self.0) {
            (0, _) => String::new(),
            (_, Lang::English) => format!(", {gone} of its pictures gone"),
            (_, Lang::Korean) => format!(", 없어진 사진 {gone}장"),
        };
        let (known, added) = (self.pictures(known), self.pictures(added));
        say!(
            self,
            "split of {path} kept for {known}, {added} new{gone}",
            "{path}의 분할을 {known}에 유지, 새 {added}{gone}"
        )
    }

    /// Training, validation and test.
    pub(crate) fn sides(self, [train, validation, test]: [usize; 3]) -> String {
        let test = match (test, self.0) {
            (0, _) => String::new(),
            (_, Lang::English) => format!(", {test} to test"),
            (_, Lang::Korean) => format!(", 시험 {test}"),
        };
        say!(self, " · {train} to train, {validation} to validate{test}", " · 학습 {train}, 검증 {validation}{test}")
    }

    /// A file of weights that fits, but may be of a model that pads otherwise.
    pub(crate) fn may_pad_otherwise(self, file: &str) -> String {
        say!(
            self,
            "{file} has timm's names: of timm's models, only those called `tf_…` compute as this network does; the others pad as \
             PyTorch does (with another epsilon), so that their features come out different here",
            "{file}의 이름은 timm의 것입니다: timm 모델 중 이름이 `tf_…`인 것만 이 네트워크와 같은 계산을 합니다. 다른 모델은 PyTorch의 \
             패딩과 다른 epsilon을 쓰므로 여기서는 특징이 달라집니다"
        )
    }

    pub(crate) fn unreadable_listed(self, pictures: usize, path: &str) -> String {
        say!(
            self,
            " · {pictures} unreadable, listed in {path}",
            " · 읽을 수 없는 사진 {pictures}장은 {path}에 적습니다"
        )
    }

    pub(crate) fn network(self, backbone: &str, head: &str) -> String {
        say!(self, "backbone {backbone} · head {head}", "백본 {backbone} · 헤드 {head}")
    }

    pub(crate) fn cut(self, cut: &str, layer: &str, trainable: &str, all: &str, stage: usize) -> String {
        say!(
            self,
            " · cut {cut} ({layer}, {trainable} of {all} parameters train in stage {stage})",
            " · 해동 {cut} ({layer}부터, {stage}단계에서 파라미터 {all}개 중 {trainable}개 학습)"
        )
    }

    pub(crate) fn block_aligned(self, stage: usize, block: &str) -> String {
        say!(
            self,
            "this cut falls inside {block}; `--set stages.{stage}.from={block}` would thaw whole blocks",
            "이 경계는 {block} 안에 있습니다. `--set stages.{stage}.from={block}`로 지정하면 블록 전체가 해동됩니다"
        )
    }

    /// `31 MB`, or `5.0 of 31 MB` where not everything is kept.
    pub(crate) fn room(self, kept: &str, all: &str) -> String {
        match self.0 {
            _ if kept == all => all.to_owned(),
            Lang::English => format!("{kept} of {all}"),
            Lang::Korean => format!("{all} 중 {kept}"),
        }
    }

    pub(crate) fn kept_nowhere(self) -> String {
        say!(self, "kept nowhere", "저장하지 않음")
    }

    /// Rows that earlier runs have left, those that are missing, and where all of them go.
    pub(crate) fn kept(self, found: usize, missing: usize, room: &str, place: &str) -> String {
        let s = if found.max(missing) == 1 { "" } else { "s" };
        let rows = match (self.0, found, missing) {
            (Lang::English, 0, _) => format!("{missing} row{s} to compute"),
            (Lang::English, _, 0) => format!("{found} row{s} from earlier runs, none to compute"),
            (Lang::English, ..) => format!("{found} row{s} from earlier runs, {missing} to compute"),
            (Lang::Korean, 0, _) => format!("{missing}행 계산"),
            (Lang::Korean, _, 0) => format!("이전 실행의 {found}행 사용, 계산할 행 없음"),
            (Lang::Korean, ..) => format!("이전 실행의 {found}행 사용, {missing}행 계산"),
        };
        say!(self, "{rows}, {room} in {place}", "{rows}, {place}에 {room}")
    }

    /// `seconds` is `None` where nothing is left to compute.
    pub(crate) fn features(
        self,
        views: u32,
        kept: &str,
        seconds: Option<f64>,
        epochs: &str,
        epoch_seconds: f64,
    ) -> String {
        let (s, epochs) = (if views == 1 { "" } else { "s" }, self.epochs(epochs));
        let then = self.about(epoch_seconds);
        let first = seconds.map(|seconds| self.about(seconds));
        let first = first.map(|first| say!(self, "{first} · then ", "{first} · 그다음 ")).unwrap_or_default();
        say!(
            self,
            "features  {views} view{s} each, {kept} · {first}{epochs}, {then}",
            "특징  사진마다 {views}가지, {kept} · {first}{epochs}, {then}"
        )
    }

    pub(crate) fn no_features(self, epochs: &str, seconds: f64) -> String {
        let (about, epochs) = (self.about(seconds), self.epochs(epochs));
        say!(
            self,
            "every epoch starts at the pictures · {epochs}, {about}",
            "에폭마다 사진부터 계산합니다 · {epochs}, {about}"
        )
    }

    /// `5 + 5 epochs`, `1 epoch`.
    fn epochs(self, epochs: &str) -> String {
        let s = if epochs == "1" { "" } else { "s" };
        say!(self, "{epochs} epoch{s}", "{epochs} 에폭")
    }

    fn about(self, seconds: f64) -> String {
        match (self.0, seconds) {
            (Lang::English, ..1.0) => "about a second".to_owned(),
            (Lang::English, ..90.0) => format!("about {seconds:.0} s"),
            (Lang::English, _) => format!("about {:.0} min", seconds / 60.0),
            (Lang::Korean, ..1.0) => "약 1초".to_owned(),
            (Lang::Korean, ..90.0) => format!("약 {seconds:.0}초"),
            (Lang::Korean, _) => format!("약 {:.0}분", seconds / 60.0),
        }
    }

    pub(crate) fn val_accuracy(self, accuracy: &str, low: &str, high: &str, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "validation accuracy {accuracy} % (95 % interval {low}–{high}, {pictures})",
            "검증 정확도 {accuracy} % (95 % 구간 {low}–{high}, {pictures})"
        )
    }

    pub(crate) fn calibrated(self, of: &CalibrationOutcome) -> String {
        let CalibrationOutcome { temperature, left, ece_before, ece_after } = *of;
        match (self.0, left) {
            (Lang::English, None) => format!(
                "probabilities: temperature {temperature:.2}, calibration error {ece_before:.3} → {ece_after:.3}"
            ),
            (Lang::Korean, None) => {
                format!("확률: 온도 {temperature:.2}, 보정 오차 {ece_before:.3} → {ece_after:.3}")
            }
            (Lang::English, Some(left)) => {
                let why = match left {
                    Left::TooFew => "too few held-out pictures",
                    Left::NoMistakes => "every held-out picture is right",
                    _ => "the held-out pictures don't tell it",
                };
                format!("probabilities: temperature left at 1 ({why}), calibration error {ece_before:.3}")
            }
            (Lang::Korean, Some(left)) => {
                let why = match left {
                    Left::TooFew => "검증 사진이 적음",
                    Left::NoMistakes => "검증 사진을 모두 맞힘",
                    _ => "검증 사진으로는 알 수 없음",
                };
                format!("확률: 온도는 1 그대로({why}), 보정 오차 {ece_before:.3}")
            }
        }
    }

    pub(crate) fn test_accuracy(self, accuracy: &str, low: &str, high: &str) -> String {
        say!(
            self,
            "test accuracy {accuracy} % (95 % interval {low}–{high}), measured once",
            "시험 정확도 {accuracy} % (95 % 구간 {low}–{high}), 한 번만 측정"
        )
    }

    pub(crate) fn frozen_unchanged(self, unchanged: usize, frozen: usize) -> String {
        say!(
            self,
            " · frozen tensors unchanged: {unchanged} of {frozen}",
            " · 바뀌지 않은 동결 텐서: {frozen}개 중 {unchanged}개"
        )
    }

    pub(crate) fn in_all(self, seconds: f64) -> String {
        say!(self, " · {seconds:.0} s", " · {seconds:.0}초")
    }

    pub(crate) fn unreadable_in(self, pictures: usize, path: &str) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "{pictures} can't be read: {path}", "{pictures}을 읽을 수 없습니다: {path}")
    }

    /// `stages` is a list of names, `first` the number of the first of them.
    pub(crate) fn still_improving(self, stages: &str, first: usize) -> String {
        let remedy = format!("--set 'stages.{first}.epochs={{ max = 30, until = \"converged\" }}'");
        say!(
            self,
            "the validation loss was still falling when {stages} ended; give more `--epochs`, or `{remedy}`",
            "{stages} 단계가 끝날 때 검증 손실이 아직 줄고 있었습니다. `--epochs`를 늘리거나 `{remedy}`를 쓰세요"
        )
    }

    pub(crate) fn stopped(self) -> String {
        say!(self, "stopped", "멈췄습니다")
    }

    pub(crate) fn stopped_run(self, path: &str, command: &str) -> String {
        say!(
            self,
            "stopped; {path} goes on with `{command}`",
            "멈췄습니다. `{command}` 명령으로 {path} 실행을 이어 갑니다"
        )
    }

    pub(crate) fn not_data(self, path: &str) -> String {
        say!(self, "{path} is a run, not pictures", "{path}은(는) 사진이 아니라 실행입니다")
    }

    pub(crate) fn how_runs_go_on(self, path: &str, resume: &str) -> String {
        say!(
            self,
            "give the pictures; `{resume}` goes on with a stopped run, `--weights {path}` begins with its weights",
            "사진을 지정하세요. 멈춘 실행은 `{resume}` 명령으로 잇고, `--weights {path}`를 주면 그 가중치에서 시작합니다"
        )
    }

    pub(crate) fn data_moved(self, command: &str) -> String {
        say!(
            self,
            "if the pictures were moved, say where they are: `{command}`",
            "사진을 옮겼다면 새 위치를 알려 주세요: `{command}`"
        )
    }

    /// An unfinished run whose data are gone, and the command to go on with it.
    pub(crate) fn resume_moved(self, path: &str, command: &str) -> String {
        say!(
            self,
            "the pictures of {path} are gone; if these are they, `{command}` goes on",
            "{path}의 사진이 제자리에 없습니다. 이 사진이 그 사진이라면 `{command}` 명령으로 이어 가세요"
        )
    }

    pub(crate) fn goes_on(self, command: &str) -> String {
        say!(
            self,
            "what is done is kept; when that is mended, `{command}` goes on",
            "여기까지의 결과는 남아 있습니다. 원인을 해결한 뒤 `{command}` 명령으로 이어 가세요"
        )
    }
}
