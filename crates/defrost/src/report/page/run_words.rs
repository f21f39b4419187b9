//! Every word of a run's page, in English and Korean.

use serde::Serialize;

use crate::report::{Lang, quoted};

/// The fixed texts.
#[derive(Debug, Serialize)]
pub(super) struct Words {
    pub(super) title: &'static str,
    pub(super) contents: &'static str,
    pub(super) summary: &'static str,
    pub(super) curves: &'static str,
    pub(super) curves_lead: &'static str,
    pub(super) confusion: &'static str,
    pub(super) confusion_lead: &'static str,
    pub(super) truth_by_prediction: &'static str,
    pub(super) confused: &'static str,
    pub(super) none_confused: &'static str,
    pub(super) classes: &'static str,
    pub(super) classes_lead: &'static str,
    pub(super) class: &'static str,
    pub(super) precision: &'static str,
    pub(super) recall: &'static str,
    pub(super) pictures: &'static str,
    pub(super) taken_for: &'static str,
    pub(super) reliability: &'static str,
    pub(super) reliability_lead: &'static str,
    pub(super) says: &'static str,
    pub(super) holds: &'static str,
    pub(super) mistakes: &'static str,
    pub(super) no_mistakes: &'static str,
    pub(super) little: &'static str,
    pub(super) much: &'static str,
    pub(super) no_picture: &'static str,
    pub(super) close: &'static str,
    pub(super) data: &'static str,
    pub(super) train: &'static str,
    pub(super) validation: &'static str,
    pub(super) test: &'static str,
    pub(super) share: &'static str,
    pub(super) healthy: &'static str,
    pub(super) stages: &'static str,
    pub(super) stages_lead: &'static str,
    pub(super) cut: &'static str,
    pub(super) learning_rate: &'static str,
    pub(super) optimizer: &'static str,
    pub(super) epochs: &'static str,
    pub(super) time: &'static str,
    pub(super) parameters: &'static str,
    pub(super) accuracy_after: &'static str,
    pub(super) proof: &'static str,
    pub(super) repeat: &'static str,
    pub(super) repeat_lead: &'static str,
    pub(super) recipe: &'static str,
    pub(super) copy: &'static str,
    pub(super) copied: &'static str,
    pub(super) weights_hash: &'static str,
    pub(super) recipe_hash: &'static str,
    pub(super) test_accuracy: &'static str,
    pub(super) weakest: &'static str,
    pub(super) most_confused: &'static str,
    pub(super) loss: &'static str,
    pub(super) loss_more: &'static str,
    pub(super) training_time: &'static str,
}

pub(super) fn words(lang: Lang) -> &'static Words {
    match lang {
        Lang::English => &ENGLISH,
        Lang::Korean => &KOREAN,
    }
}

const ENGLISH: Words = Words {
    title: "Training report",
    contents: "Contents",
    summary: "Summary",
    curves: "Curves",
    curves_lead: "All epochs of all stages in one figure. Where training and validation part, the classifier learns its pictures by heart.",
    confusion: "Confusion",
    confusion_lead: "Each row is what the pictures are, each column what the classifier says. Colour is the share of the row.",
    truth_by_prediction: "is ↓ said →",
    confused: "Most often confused (is → said)",
    none_confused: "No picture is taken for another class.",
    classes: "Classes",
    classes_lead: "Precision: of what is called so, the share that is. Recall: of what is so, the share that is found. All in per cent, on validation pictures.",
    class: "Class",
    precision: "Precision",
    recall: "Recall",
    pictures: "Pictures",
    taken_for: "Taken for",
    reliability: "Reliability",
    reliability_lead: "Of the answers that are given with 80 % certainty, 80 % should be right: the closer to the diagonal, the more a probability can be taken at its word.",
    says: "Probability that the classifier gives (%)",
    holds: "Answers that are right (%)",
    mistakes: "Mistakes",
    no_mistakes: "No validation picture is classified wrongly.",
    little: "little evidence",
    much: "much",
    no_picture: "the picture isn't there any longer",
    close: "Close",
    data: "Data",
    train: "Training",
    validation: "Validation",
    test: "Test",
    share: "Share",
    healthy: "The doctor found nothing wrong with the pictures.",
    stages: "Stages",
    stages_lead: "Each stage thaws the network from the top down. What stays frozen is hashed before and after: it must be the same, bit for bit.",
    cut: "Cut",
    learning_rate: "Learning rate",
    optimizer: "Optimizer",
    epochs: "Epochs",
    time: "Time",
    parameters: "Parameters",
    accuracy_after: "Validation",
    proof: "Frozen tensors",
    repeat: "Repeat",
    repeat_lead: "The recipe states everything. On the same pictures this command gives the same weights, bit for bit, with any number of threads.",
    recipe: "Recipe",
    copy: "Copy",
    copied: "Copied",
    weights_hash: "Weights (BLAKE3)",
    recipe_hash: "Recipe (BLAKE3)",
    test_accuracy: "Test accuracy",
    weakest: "Weakest class",
    most_confused: "Most often confused",
    loss: "Validation loss",
    loss_more: "mean cross-entropy",
    training_time: "Training time",
};

const KOREAN: Words = Words {
    title: "학습 보고서",
    contents: "목차",
    summary: "요약",
    curves: "학습 곡선",
    curves_lead: "모든 단계의 에폭을 한 그림에 이었습니다. 학습과 검증이 벌어지면 사진을 외우고 있다는 뜻입니다.",
    confusion: "혼동 행렬",
    confusion_lead: "행은 실제 클래스, 열은 분류기의 답입니다. 색은 행에서 차지하는 비율입니다.",
    truth_by_prediction: "실제 ↓ 예측 →",
    confused: "가장 자주 혼동한 쌍(실제 → 예측)",
    none_confused: "다른 클래스로 잘못 본 사진이 없습니다.",
    classes: "클래스별 성능",
    classes_lead: "정밀도는 그렇게 부른 것 가운데 맞은 비율, 재현율은 실제 그것 가운데 찾아낸 비율입니다. 검증 사진 기준이며 단위는 %입니다.",
    class: "클래스",
    precision: "정밀도",
    recall: "재현율",
    pictures: "사진 수",
    taken_for: "잘못 본 클래스",
    reliability: "신뢰도",
    reliability_lead: "80 % 확신한 답이라면 80 %가 맞아야 합니다. 대각선에 가까울수록 확률을 그대로 믿을 수 있습니다.",
    says: "분류기가 말한 확률(%)",
    holds: "맞은 답의 비율(%)",
    mistakes: "틀린 사진",
    no_mistakes: "잘못 분류한 검증 사진이 없습니다.",
    little: "근거 적음",
    much: "많음",
    no_picture: "사진이 더는 없습니다",
    close: "닫기",
    data: "데이터",
    train: "학습",
    validation: "검증",
    test: "시험",
    share: "비율",
    healthy: "사진에서 문제를 찾지 못했습니다.",
    stages: "학습 단계",
    stages_lead: "단계마다 위쪽 층부터 동결을 풉니다. 동결한 텐서는 전후의 해시를 비교해 한 비트도 바뀌지 않았음을 확인합니다.",
    cut: "경계",
    learning_rate: "학습률",
    optimizer: "옵티마이저",
    epochs: "에폭",
    time: "시간",
    parameters: "파라미터",
    accuracy_after: "검증 정확도",
    proof: "동결 텐서",
    repeat: "재현",
    repeat_lead: "레시피에 모든 설정이 들어 있습니다. 같은 사진으로 이 명령을 실행하면 스레드 수와 상관없이 한 비트도 다르지 않은 가중치가 나옵니다.",
    recipe: "레시피",
    copy: "복사",
    copied: "복사함",
    weights_hash: "가중치(BLAKE3)",
    recipe_hash: "레시피(BLAKE3)",
    test_accuracy: "시험 정확도",
    weakest: "가장 약한 클래스",
    most_confused: "가장 잦은 혼동",
    loss: "검증 손실",
    loss_more: "평균 교차 엔트로피",
    training_time: "학습 시간",
};

/// `92.0`
fn percent(share: f64) -> String {
    format!("{:.1}", 100.0 * share)
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// The sentences.
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
}
