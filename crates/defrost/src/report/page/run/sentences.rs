//! The texts of a run's page that hold figures and names, in English and Korean.

use super::percent;
use crate::artefact::Origin;
use crate::calibrate::{LEAST_PICTURES, Left};
use crate::report::{Lang, quoted};

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

impl Lang {
    fn say(self, english: String, korean: String) -> String {
        match self {
            Lang::English => english,
            Lang::Korean => korean,
        }
    }

    pub(super) fn run_sentence(self, right: u64, all: u64) -> String {
        self.say(
            format!("It gets {right} of {all} validation pictures right."),
            format!("검증 사진 {all}장 가운데 {right}장을 맞혔습니다."),
        )
    }

    pub(super) fn built_on(self, backbone: &str, pictures: usize, classes: usize, seconds: f64) -> String {
        let time = self.duration(seconds);
        self.say(
            format!("{backbone}, trained on {pictures} pictures of {classes} classes in {time}."),
            format!("{backbone}, {classes}개 클래스의 사진 {pictures}장으로 {time} 동안 학습했습니다."),
        )
    }

    /// `2 min 35 s`
    pub(super) fn duration(self, seconds: f64) -> String {
        let whole = seconds.round() as u64;
        let (hours, minutes, rest) = (whole / 3600, whole / 60 % 60, whole % 60);
        match (self, hours, minutes) {
            (Lang::English, 0, 0) if seconds < 10.0 => format!("{seconds:.1}\u{a0}s"),
            (Lang::Korean, 0, 0) if seconds < 10.0 => format!("{seconds:.1}초"),
            (Lang::English, 0, 0) => format!("{rest}\u{a0}s"),
            (Lang::Korean, 0, 0) => format!("{rest}초"),
            (Lang::English, 0, _) => format!("{minutes}\u{a0}min {rest}\u{a0}s"),
            (Lang::Korean, 0, _) => format!("{minutes}분 {rest}초"),
            (Lang::English, ..) => format!("{hours}\u{a0}h {minutes}\u{a0}min"),
            (Lang::Korean, ..) => format!("{hours}시간 {minutes}분"),
        }
    }

    pub(super) fn interval_caption(self, low: &str, high: &str) -> String {
        self.say(format!("95 % interval {low}–{high} %"), format!("95 % 신뢰구간 {low}–{high} %"))
    }

    pub(super) fn found(self, recall: f64, support: u64) -> String {
        let recall = percent(recall);
        self.say(format!("{recall} % of {support} found"), format!("{support}장 가운데 {recall} %를 찾음"))
    }

    pub(super) fn times(self, count: u64) -> String {
        let s = plural(count as usize);
        self.say(format!("{count} picture{s}"), format!("사진 {count}장"))
    }

    pub(super) fn epochs_in_stages(self, epochs: usize, stages: usize) -> String {
        let [e, s] = [plural(epochs), plural(stages)];
        self.say(format!("{epochs} epoch{e} in {stages} stage{s}"), format!("{stages}개 단계, {epochs}에폭"))
    }

    pub(super) fn skipped(self, count: usize) -> String {
        let (s, was) = (plural(count), if count == 1 { "was" } else { "were" });
        self.say(
            format!("{count} picture{s} could not be read and {was} left out."),
            format!("읽을 수 없는 사진 {count}장을 뺐습니다."),
        )
    }

    pub(super) fn weak_class(self, class: &str, recall: f64) -> String {
        let recall = percent(recall);
        self.say(
            format!("Of {class} it finds only {recall} %: more pictures of it, or a look at its labels, would help most."),
            format!("{class} 클래스는 {recall} %만 찾습니다. 이 클래스의 사진을 더하거나 레이블을 살펴보는 것이 가장 도움이 됩니다."),
        )
    }

    pub(super) fn wide_interval(self, samples: u64, half: f64) -> String {
        let points = percent(half);
        self.say(
            format!("{samples} validation pictures tell the accuracy to about ±{points} points; smaller differences between runs may be chance."),
            format!("검증 사진 {samples}장으로는 정확도를 ±{points} %포인트까지만 알 수 있습니다. 그보다 작은 차이는 우연일 수 있습니다."),
        )
    }

    pub(super) fn memorised(self, train: f64, validation: f64) -> String {
        let [train, validation] = [train, validation].map(percent);
        self.say(
            format!("It gets {train} % of the training pictures right and {validation} % of the validation pictures: more or more varied pictures (`--augment`) would help more than more epochs."),
            format!("학습 사진은 {train} %, 검증 사진은 {validation} %를 맞힙니다. 에폭보다 사진을 늘리거나 증강(`--augment`)하는 편이 낫습니다."),
        )
    }

    pub(super) fn still_improving(self) -> String {
        self.say(
            "The validation loss was still falling when the last stage ended: more epochs may help.".to_owned(),
            "마지막 단계가 끝날 때 검증 손실이 아직 줄고 있었습니다. 에폭을 늘려 볼 만합니다.".to_owned(),
        )
    }

    pub(super) fn frozen_held(self) -> String {
        self.say(
            "Every tensor that had to stay frozen is the same, bit for bit.".to_owned(),
            "동결한 텐서는 한 비트도 바뀌지 않았습니다.".to_owned(),
        )
    }

    pub(super) fn frozen_changed(self, count: usize) -> String {
        self.say(
            format!("{count} frozen tensors have changed: these weights can't be trusted."),
            format!("동결한 텐서 {count}개가 바뀌었습니다. 이 가중치는 믿을 수 없습니다."),
        )
    }

    pub(super) fn mistakes_lead(self, shown: usize, all: u64) -> String {
        let which = match (self, shown as u64 == all) {
            (Lang::English, true) => format!("All {all}"),
            (Lang::English, false) => format!("{shown} of {all}"),
            (Lang::Korean, true) => format!("{all}장 전부"),
            (Lang::Korean, false) => format!("{all}장 가운데 {shown}장"),
        };
        self.say(
            format!("{which}, the surest first. The colours show what the answer rests on: a sure mistake is often a wrong label, a second thing in the picture, or a background that gives the class away."),
            format!("{which}, 확신이 큰 순서입니다. 색은 답의 근거가 된 곳을 보여 줍니다. 확신하며 틀린 사진은 레이블 오류, 함께 찍힌 다른 대상, 클래스를 암시하는 배경인 경우가 많습니다."),
        )
    }

    pub(super) fn more_mistakes(self, count: usize) -> String {
        self.say(format!("{count} more"), format!("외 {count}장"))
    }

    /// HTML; the names are escaped already.
    pub(super) fn mistake(self, said: &str, percent: &str, truth: &str) -> String {
        self.say(
            format!("<span>Said <b class=\"said\">{said}</b> ({percent} %), is <b class=\"is\">{truth}</b></span>"),
            format!("<span>예측 <b class=\"said\">{said}</b>({percent} %), 실제 <b class=\"is\">{truth}</b></span>"),
        )
    }

    pub(super) fn open_mistake(self, said: &str, truth: &str) -> String {
        self.say(format!("Enlarge: {truth} taken for {said}"), format!("크게 보기: 실제 {truth}, 예측 {said}"))
    }

    pub(super) fn picture_of(self, class: &str) -> String {
        self.say(format!("The picture ({class})"), format!("사진({class})"))
    }

    pub(super) fn evidence_for(self, class: &str) -> String {
        self.say(format!("What speaks for {class}"), format!("{class}의 근거"))
    }

    pub(super) fn data_lead(self, data: &str, train: usize, views: u32) -> String {
        let views = match (self, views) {
            (_, 1) => String::new(),
            (Lang::English, views) => format!(", each in {views} views"),
            (Lang::Korean, views) => format!("(한 장에 {views}개 뷰)"),
        };
        self.say(
            format!("{data}: {train} pictures to learn from{views}."),
            format!("{data}: 학습 사진 {train}장{views}."),
        )
    }

    pub(super) fn ask_doctor(self, data: &str) -> String {
        let data = quoted(data);
        self.say(
            format!("The pictures were not examined for copies, leaks and wrong labels; `defrost report RUN --doctor` adds that here, and `defrost doctor {data}` does it alone."),
            format!("중복, 누출, 레이블 오류는 검사하지 않았습니다. `defrost report RUN --doctor`로 이 보고서에 더하거나 `defrost doctor {data}`로 따로 검사할 수 있습니다."),
        )
    }

    pub(super) fn of_all(self, some: &str, all: &str) -> String {
        self.say(format!("{some} of {all} train"), format!("{all}개 중 {some}개 학습"))
    }

    pub(super) fn unchanged(self, unchanged: usize, frozen: usize) -> String {
        match frozen {
            0 => self.say("none".to_owned(), "없음".to_owned()),
            _ => self.say(format!("{unchanged} of {frozen} unchanged"), format!("{frozen}개 중 {unchanged}개 그대로")),
        }
    }

    pub(super) fn layers_frozen(self, frozen: usize, all: usize) -> String {
        self.say(format!("{frozen} of {all} layers frozen"), format!("{all}개 층 중 {frozen}개 동결"))
    }

    pub(super) fn uncalibrated(self, ece: f64) -> String {
        let ece = percent(ece);
        self.say(format!("As trained: calibration error {ece} %"), format!("보정 전: 보정 오차 {ece} %"))
    }

    pub(super) fn calibrated(self, temperature: f64, ece: f64) -> String {
        let ece = percent(ece);
        self.say(
            format!("Calibrated (temperature {temperature:.2}): calibration error {ece} %"),
            format!("보정 후(온도 {temperature:.2}): 보정 오차 {ece} %"),
        )
    }

    pub(super) fn calibrated_on(self, pictures: u64) -> String {
        self.say(
            format!("Of {pictures} validation pictures, on which the temperature was fitted, too. A point's area is its share of them. The classifier gives calibrated probabilities."),
            format!("검증 사진 {pictures}장 기준이며, 온도도 같은 사진으로 맞췄습니다. 점의 넓이는 사진의 비율입니다. 분류기는 보정한 확률을 줍니다."),
        )
    }

    pub(super) fn left_uncalibrated(self, left: Left) -> String {
        match (self, left) {
            (Lang::English, Left::TooFew) => format!(
                "Not calibrated: that takes at least {LEAST_PICTURES} validation pictures. A point's area is its share of them."
            ),
            (Lang::Korean, Left::TooFew) => {
                format!("보정하지 않음: 검증 사진이 {LEAST_PICTURES}장 이상 필요합니다. 점의 넓이는 사진의 비율입니다.")
            }
            (Lang::English, Left::NoMistakes) => {
                "Not calibrated: without a mistake nothing tells how sure it may be.".to_owned()
            }
            (Lang::Korean, Left::NoMistakes) => {
                "보정하지 않음: 틀린 사진이 없어 얼마나 확신해도 되는지 알 수 없습니다.".to_owned()
            }
            (Lang::English, _) => {
                "Not calibrated: the validation pictures don't tell the temperature well enough.".to_owned()
            }
            (Lang::Korean, _) => "보정하지 않음: 검증 사진으로는 온도를 충분히 알 수 없습니다.".to_owned(),
        }
    }

    pub(super) fn bin(self, pictures: u64, confidence: f64, accuracy: f64) -> String {
        let [confidence, accuracy] = [confidence, accuracy].map(percent);
        let s = plural(pictures as usize);
        self.say(
            format!("{pictures} picture{s}: says {confidence} %, right {accuracy} %"),
            format!("사진 {pictures}장: 확신 {confidence} %, 정답 {accuracy} %"),
        )
    }

    pub(super) fn foot(self, backbone: &str, origin: Option<&Origin>) -> String {
        let program = concat!("defrost ", env!("CARGO_PKG_VERSION"));
        let Some(Origin { weights, licence, .. }) = origin else { return program.to_owned() };
        match (self, licence) {
            (Lang::English, Some(licence)) => format!("{program} · weights of {backbone}: {weights}, {licence}"),
            (Lang::English, None) => format!("{program} · weights of {backbone}: {weights}, of unknown licence"),
            (Lang::Korean, Some(licence)) => format!("{program} · {backbone} 가중치: {weights}, {licence}"),
            (Lang::Korean, None) => format!("{program} · {backbone} 가중치: {weights}, 라이선스 모름"),
        }
    }
}
