//! Every word that the program says in the terminal, in English and Korean.
//!
//! Errors of the library and names that belong to the field (keys, layers, classes) stay English: they are what one searches for.

use defrost::advise::{Advice, Domain, Situation, Strategy};
use defrost::data::{Kind, TableKind};
use defrost::report::Lang;

/// What is said, in the user's language.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Words(pub(crate) Lang);

/// Picks the text of the language; both see the same arguments.
macro_rules! say {
    ($words:expr, $english:literal, $korean:literal) => {
        match $words.0 {
            Lang::English => format!($english),
            Lang::Korean => format!($korean),
        }
    };
}

impl Words {
    pub(crate) fn stopping(self) -> String {
        say!(self, "stopping; Ctrl-C again ends it at once", "멈추는 중입니다. Ctrl-C를 다시 누르면 바로 끝납니다")
    }

    /// `1 picture`, `240 pictures`.
    pub(crate) fn pictures(self, count: usize) -> String {
        let s = if count == 1 { "" } else { "s" };
        say!(self, "{count} picture{s}", "사진 {count}장")
    }

    /// `352 of 800 pictures` where not all were done.
    pub(crate) fn pictures_of(self, done: usize, all: usize) -> String {
        let pictures = self.pictures(all);
        match self.0 {
            _ if done == all => pictures,
            Lang::English => format!("{done} of {pictures}"),
            Lang::Korean => format!("{pictures} 중 {done}장"),
        }
    }

    /// What the library calls a phase of its work; names of stages and layers stay as they are.
    pub(crate) fn phase(self, label: &str) -> String {
        match (self.0, label) {
            (Lang::Korean, "features") => "특징",
            (Lang::Korean, "pooled features") => "풀링한 특징",
            (Lang::Korean, "look-alikes") => "닮은 사진",
            (Lang::Korean, "pictures") => "사진",
            (Lang::Korean, "predict") => "예측",
            _ => label,
        }
        .to_owned()
    }

    pub(crate) fn pictures_per_second(self, rate: f64) -> String {
        say!(self, "{rate:.0} pictures/s", "초당 {rate:.0}장")
    }

    pub(crate) fn took(self, what: &str, seconds: f64) -> String {
        say!(self, "{what}  {seconds:.0} s", "{what}  {seconds:.0}초")
    }

    pub(crate) fn stdout_is_lost(self, reason: &str) -> String {
        say!(self, "can't write to stdout: {reason}", "표준 출력에 쓸 수 없습니다: {reason}")
    }

    pub(crate) fn written(self, path: &str) -> String {
        say!(self, "{path} written", "{path} 파일을 썼습니다")
    }

    pub(crate) fn next(self, command: &str) -> String {
        say!(self, "next: {command}", "다음: {command}")
    }

    // advise

    /// The answer in one sentence.
    pub(crate) fn advice(self, advice: &Advice) -> String {
        let Situation { pictures_per_class: count, domain, .. } = advice.situation;
        let korean = |strategy| match strategy {
            Strategy::FeatureExtraction => "특징 추출(feature extraction)",
            Strategy::CarefulFineTuning => "특징 추출 뒤 조심스러운 미세조정(fine-tuning)",
            Strategy::FineTuning => "상위 레이어 미세조정(fine-tuning)",
            Strategy::FullFineTuning => "전체 미세조정(full fine-tuning)",
            Strategy::FromScratch => "처음부터 학습(from scratch)",
        };
        match self.0 {
            Lang::English => advice.to_string(),
            Lang::Korean => {
                let amount = if advice.situation.has_many() { "많고" } else { "적고" };
                let near = if domain == Domain::Near { "비슷합니다" } else { "다릅니다" };
                format!(
                    "{}: 클래스당 사진이 {count}장으로 {amount}, 사전 학습한 사진과 {near}",
                    korean(advice.strategy)
                )
            }
        }
    }

    pub(crate) fn advised_recipe(self) -> String {
        say!(self, "the recipe, for `defrost train --recipe FILE`:", "`defrost train --recipe FILE`에 쓸 레시피:")
    }

    // schedule

    pub(crate) fn step(self) -> String {
        say!(self, "step", "스텝")
    }

    pub(crate) fn learning_rate(self) -> String {
        say!(self, "learning rate", "학습률")
    }

    pub(crate) fn endless_schedule(self) -> String {
        say!(self, "the schedule has no end of its own", "이 스케줄에는 끝나는 스텝이 없습니다")
    }

    pub(crate) fn give_steps(self) -> String {
        say!(self, "give the last step with `--steps N`", "`--steps N`으로 마지막 스텝을 지정하세요")
    }

    pub(crate) fn too_many_steps(self, steps: u64, most: u64) -> String {
        say!(
            self,
            "{steps} steps are more than can be listed ({most})",
            "{steps} 스텝은 나열할 수 있는 한도({most})를 넘습니다"
        )
    }

    pub(crate) fn figure_ending(self, path: &str) -> String {
        say!(
            self,
            "a figure must end in .svg or .png; got {path}",
            "그림 파일은 .svg 또는 .png로 끝나야 합니다: {path}"
        )
    }

    pub(crate) fn no_such_isa(self, name: &str, here: &[&str]) -> String {
        let here = here.join(", ");
        say!(
            self,
            "`DEFROST_ISA` names `{name}`, which this processor does not have; it has {here}",
            "`DEFROST_ISA`의 `{name}`은(는) 이 프로세서에 없습니다. 사용 가능: {here}"
        )
    }

    // bench

    pub(crate) fn bench_speed(self, forward: f64, train: f64, cut: &str) -> String {
        say!(
            self,
            "forward     {forward:.1} pictures/s, from pixels to pooled features\ntraining    {train:.1} pictures/s, {cut}, from stored rows",
            "순전파      초당 {forward:.1}장, 픽셀에서 풀링한 특징까지\n학습        초당 {train:.1}장, {cut}, 저장한 행에서"
        )
    }

    pub(crate) fn bench_engine(self, isa: &str, threads: usize, arena: &str, peak: Option<&str>) -> String {
        let peak = peak.map(|peak| say!(self, ", {peak} at most in all", ", 전체 최대 {peak}")).unwrap_or_default();
        say!(
            self,
            "engine      {isa}, {threads} threads, {arena} of buffers a thread{peak}",
            "엔진        {isa}, 스레드 {threads}개, 스레드마다 버퍼 {arena}{peak}"
        )
    }

    // summary

    pub(crate) fn layers(self, layers: usize, frozen: usize, trainable: usize) -> String {
        say!(
            self,
            "layers      {layers}: {frozen} frozen, {trainable} trainable",
            "레이어      {layers}개: 동결 {frozen}개, 학습 가능 {trainable}개"
        )
    }

    pub(crate) fn first_trainable(self, layer: &str) -> String {
        say!(self, ", from {layer} on", ", {layer}부터")
    }

    pub(crate) fn parameters(self, all: &str, trainable: &str, frozen: &str, percent: f64) -> String {
        say!(
            self,
            "parameters  {all}: {trainable} trainable ({percent:.2} %), {frozen} frozen",
            "파라미터    {all}개: 학습 가능 {trainable}개 ({percent:.2} %), 동결 {frozen}개"
        )
    }

    pub(crate) fn output_shape(self, shape: &[usize]) -> String {
        say!(self, "output      {shape:?}", "출력 형태   {shape:?}")
    }

    pub(crate) fn cut_inside_block(self, block: &str) -> String {
        say!(
            self,
            "this cut falls inside {block}; `from={block}` would thaw whole blocks",
            "이 경계는 {block} 안에 있습니다. `from={block}`로 지정하면 블록 전체가 해동됩니다"
        )
    }

    // backbones

    pub(crate) fn backbone_headings(self) -> [String; 5] {
        match self.0 {
            Lang::English => ["backbone", "input", "layers", "parameters", "weights"],
            Lang::Korean => ["백본", "입력", "레이어", "파라미터", "가중치"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn embedded(self) -> String {
        say!(self, "part of the program", "프로그램에 포함됨")
    }

    pub(crate) fn cached(self) -> String {
        say!(self, "in the cache", "캐시에 있음")
    }

    pub(crate) fn to_download(self) -> String {
        say!(self, "to download", "다운로드 필요")
    }

    pub(crate) fn already_embedded(self, id: &str) -> String {
        say!(self, "the weights of {id} are part of the program", "{id}의 가중치는 프로그램에 포함되어 있습니다")
    }

    pub(crate) fn fetched(self, path: &str, downloaded: bool, verified: bool) -> String {
        let how = match (self.0, downloaded, verified) {
            (Lang::English, true, true) => "downloaded, and the publisher's hash holds",
            (Lang::English, true, false) => "downloaded, unverified: its publisher states no hash",
            (Lang::English, false, true) => "already there, and the publisher's hash holds",
            (Lang::English, false, false) => "already there, unverified: its publisher states no hash",
            (Lang::Korean, true, true) => "다운로드했고 배포자의 해시와 일치합니다",
            (Lang::Korean, true, false) => "다운로드했지만 배포자가 해시를 공개하지 않아 검증하지 못했습니다",
            (Lang::Korean, false, true) => "이미 있으며 배포자의 해시와 일치합니다",
            (Lang::Korean, false, false) => "이미 있지만 배포자가 해시를 공개하지 않아 검증하지 못했습니다",
        };
        format!("{path}: {how}")
    }

    // cache

    pub(crate) fn no_cache_folder(self) -> String {
        say!(
            self,
            "there is no folder for the cache: `HOME` isn't set",
            "캐시 폴더를 정할 수 없습니다: `HOME`이 없습니다"
        )
    }

    pub(crate) fn set_cache_folder(self) -> String {
        say!(self, "name one in the variable `DEFROST_CACHE`", "`DEFROST_CACHE` 변수로 지정하세요")
    }

    pub(crate) fn cache_headings(self) -> [String; 3] {
        match self.0 {
            Lang::English => ["kind", "files", "size"],
            Lang::Korean => ["종류", "파일", "크기"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn cache_kind(self, kind: &str) -> String {
        match (self.0, kind) {
            (Lang::Korean, "features") => "특징",
            (Lang::Korean, "weights") => "가중치",
            (Lang::Korean, "partial") => "받다 만 파일",
            (Lang::English, "partial") => "half downloads",
            _ => kind,
        }
        .to_owned()
    }

    pub(crate) fn pruned(self, files: usize, size: &str) -> String {
        say!(self, "{files} files removed, {size} freed", "파일 {files}개를 지워 {size}를 비웠습니다")
    }

    pub(crate) fn rows_checked(self, rows: u64, damaged: u64) -> String {
        match (self.0, damaged) {
            (Lang::English, 0) => format!("{rows} rows checked, none damaged"),
            (Lang::English, _) => {
                format!("{rows} rows checked, {damaged} damaged and removed: they are computed again")
            }
            (Lang::Korean, 0) => format!("{rows}행을 확인했고 손상된 행은 없습니다"),
            (Lang::Korean, _) => format!("{rows}행 중 손상된 {damaged}행을 지웠습니다. 필요할 때 다시 계산합니다"),
        }
    }

    pub(crate) fn index_rebuilt(self) -> String {
        say!(self, "the index of the features was damaged and is made anew", "특징의 색인이 손상되어 다시 만들었습니다")
    }

    // doctor

    pub(crate) fn examined(self, path: &str, pictures: usize, classes: usize, sides: [usize; 3]) -> String {
        let pictures = self.pictures(pictures);
        let [train, validation, test] = sides;
        let sides = match (validation + test, self.0) {
            (0, _) => String::new(),
            (_, Lang::English) => format!(": {train} to train, {validation} to validate, {test} to test"),
            (_, Lang::Korean) => format!(": 학습 {train}, 검증 {validation}, 시험 {test}"),
        };
        say!(self, "{path} · {pictures} in {classes} classes{sides}", "{path} · {classes}개 클래스의 {pictures}{sides}")
    }

    pub(crate) fn nothing_found(self) -> String {
        say!(self, "nothing is wrong with them", "문제를 찾지 못했습니다")
    }

    pub(crate) fn finding_headings(self) -> [String; 4] {
        match self.0 {
            Lang::English => ["found", "findings", "pictures", "to leave out"],
            Lang::Korean => ["발견", "건수", "사진", "제외 권장"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn kind_and_meaning(self, kind: &str, meaning: &str) -> String {
        format!("{kind}: {meaning}")
    }

    pub(crate) fn more_findings(self, count: usize) -> String {
        say!(self, "… and {count} more (-v lists all)", "… 외 {count}건 (-v로 모두 표시)")
    }

    pub(crate) fn exclusions_written(self, path: &str, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "{path}: {pictures} to leave out, for `defrost train --exclude`",
            "{path}: 제외할 {pictures}, `defrost train --exclude`에 쓸 수 있습니다"
        )
    }

    // embed

    pub(crate) fn no_such_format(self, path: &str) -> String {
        say!(self, "{path} ends neither in .npy nor in .safetensors", "{path}: 확장자가 .npy도 .safetensors도 아닙니다")
    }

    pub(crate) fn embedded_features(self, pictures: usize, num_features: usize, out: &str, table: &str) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "{out}: {num_features} features of each of {pictures}; paths and labels in {table}",
            "{out}: {pictures}, 한 장에 특징 {num_features}개. 경로와 레이블은 {table}"
        )
    }

    // sample

    pub(crate) fn drawn(self, path: &str, pictures: usize, classes: usize) -> String {
        say!(
            self,
            "{path}: {pictures} pictures in {classes} classes drawn",
            "{path}: {classes}개 클래스의 사진 {pictures}장을 그렸습니다"
        )
    }

    // augment

    pub(crate) fn sheet(self, path: &str, pictures: usize, views: u32) -> String {
        let pictures = self.pictures(pictures);
        let s = if views == 1 { "" } else { "s" };
        say!(self, "{path}: {pictures} in {views} view{s} each", "{path}: {pictures}, 한 장마다 뷰 {views}개")
    }

    pub(crate) fn smaller_sheet(self) -> String {
        say!(
            self,
            "take fewer `--views` or `--pictures`, or a smaller `--input-size`",
            "`--views`나 `--pictures`를 줄이거나 `--input-size`를 작게 하세요"
        )
    }

    pub(crate) fn sheet_ending(self, path: &str) -> String {
        say!(self, "a contact sheet must end in .png; got {path}", "미리보기 시트 파일은 .png로 끝나야 합니다: {path}")
    }

    // recipe

    pub(crate) fn recipe_is_sound(self, path: &str, stages: usize) -> String {
        let s = if stages == 1 { "" } else { "s" };
        say!(self, "{path} is sound: {stages} stage{s}", "{path}: 이상 없음, 단계 {stages}개")
    }

    pub(crate) fn expects_nothing(self, path: &str) -> String {
        say!(self, "{path} states no result to expect", "{path}에 기대 결과가 없습니다")
    }

    pub(crate) fn verified(self, holds: bool, accuracy: &str, low: &str, high: &str) -> String {
        match (self.0, holds) {
            (Lang::English, true) => {
                format!("as expected: validation accuracy {accuracy} % lies in {low}–{high} %")
            }
            (Lang::English, false) => {
                format!("validation accuracy {accuracy} % lies outside the {low}–{high} % that the recipe expects")
            }
            (Lang::Korean, true) => format!("기대한 대로 검증 정확도 {accuracy} %가 {low}–{high} % 안에 있습니다"),
            (Lang::Korean, false) => {
                format!("검증 정확도 {accuracy} %가 레시피가 기대하는 {low}–{high} %를 벗어났습니다")
            }
        }
    }

    // train

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

    pub(crate) fn goes_on(self, command: &str) -> String {
        say!(
            self,
            "what is done is kept; when that is mended, `{command}` goes on",
            "여기까지의 결과는 남아 있습니다. 원인을 해결한 뒤 `{command}` 명령으로 이어 가세요"
        )
    }

    // predict and evaluate

    pub(crate) fn latest_run(self, path: &str) -> String {
        say!(self, "with the latest run, {path}", "가장 최근 실행 {path} 사용")
    }

    pub(crate) fn trained_on(self, pictures: usize, all: usize) -> String {
        let pictures = self.pictures_of(pictures, all);
        say!(
            self,
            "the classifier has learned from {pictures}: the figures flatter",
            "{pictures}은 이 분류기가 학습한 사진이므로 결과가 실제보다 좋게 나옵니다"
        )
    }

    pub(crate) fn no_pictures_given(self) -> String {
        say!(self, "no pictures are given", "사진을 지정하지 않았습니다")
    }

    pub(crate) fn unsure(self) -> String {
        say!(self, "unsure", "불확실")
    }

    pub(crate) fn unreadable(self, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(self, "{pictures} can't be read", "{pictures}을 읽을 수 없습니다")
    }

    pub(crate) fn none_readable(self, pictures: usize, reason: &str) -> String {
        match (self.0, pictures) {
            (_, 1) => reason.to_owned(),
            (Lang::English, _) => format!("none of the {pictures} pictures can be read; of the first: {reason}"),
            (Lang::Korean, _) => format!("사진 {pictures}장을 하나도 읽을 수 없습니다. 첫 사진: {reason}"),
        }
    }

    pub(crate) fn nothing_readable(self, path: &str) -> String {
        say!(self, "no picture in {path} can be read", "{path}에 읽을 수 있는 사진이 없습니다")
    }

    pub(crate) fn run_and_data(self, given: usize) -> String {
        say!(
            self,
            "expected one data set to evaluate on; got {given}",
            "평가할 데이터가 하나 필요합니다: {given}개 지정됨"
        )
    }

    pub(crate) fn accuracy(self, accuracy: &str, low: &str, high: &str, pictures: usize) -> String {
        let pictures = self.pictures(pictures);
        say!(
            self,
            "accuracy {accuracy} % (95 % interval {low}–{high}, {pictures})",
            "정확도 {accuracy} % (95 % 구간 {low}–{high}, {pictures})"
        )
    }

    pub(crate) fn loss(self, loss: f64) -> String {
        say!(self, "loss {loss:.3}", "손실 {loss:.3}")
    }

    pub(crate) fn class_headings(self) -> [String; 5] {
        match self.0 {
            Lang::English => ["class", "precision", "recall", "F1", "pictures"],
            Lang::Korean => ["클래스", "정밀도", "재현율", "F1", "사진"],
        }
        .map(str::to_owned)
    }

    pub(crate) fn truth_by_prediction(self) -> String {
        say!(self, "truth \\ prediction", "실제 \\ 예측")
    }
}
