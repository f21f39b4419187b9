// What the page says, in English and Korean; the server's own reasons are English.

const english = {
  about: (m) => `${m.classes.length} classes · ${m.backbone}`,
  figures: (f, percent) => ` · ${percent(f.val_accuracy)} right on ${f.val_samples} validation pictures (95% interval ${percent(f.val_accuracy_interval[0])} to ${percent(f.val_accuracy_interval[1])})`,
  token: "This server asks for its token",
  open: "Open",
  token_wrong: "That isn't the token.",
  drop: "Drop pictures here",
  drop_more: "or click to choose, or paste one. They stay between you and this server.",
  why: "Why?",
  why_of: (name) => `Show what speaks for ${name}`,
  map: (name, of) => `${of}, with what speaks for ${name} in colour`,
  unlike: "Unlike all training pictures: no class may fit.",
  wrong: "Wrong?",
  choose: "It is …",
  marked_as: "Marked:",
  undo: "Undo",
  marked: (predicted) => `not ${predicted}`,
  unsure: "unsure",
  all: "all",
  status: (done, all) => (done < all ? `${done} of ${all} pictures` : all === 1 ? "1 picture" : `${all} pictures`),
  unsure_first: "Least sure first",
  save: "Save as CSV",
  clear: "Clear",
  marks: (n) => (n === 1 ? "1 wrong answer is marked" : `${n} wrong answers are marked`),
  marks_what: "The marked pictures are kept in the run's folder. This trains again with them:",
  copy: "Copy",
  copied: "Copied",
  lost: "The server can't be reached. Is it still running?",
  too_large: (most) => `The file is larger than the ${most} MB that the server takes.`,
  data: "DATA",
};

const korean = {
  about: (m) => `클래스 ${m.classes.length}개 · ${m.backbone}`,
  figures: (f, percent) => ` · 검증 사진 ${f.val_samples}장에서 정확도 ${percent(f.val_accuracy)} (95% 구간 ${percent(f.val_accuracy_interval[0])}~${percent(f.val_accuracy_interval[1])})`,
  token: "이 서버는 토큰이 필요합니다",
  open: "열기",
  token_wrong: "토큰이 맞지 않습니다.",
  drop: "여기에 사진을 놓으세요",
  drop_more: "눌러서 고르거나 붙여넣어도 됩니다. 사진은 이 서버에만 보냅니다.",
  why: "왜?",
  why_of: (name) => `${name}의 근거가 있는 곳 보기`,
  map: (name, of) => `${of}, ${name}의 근거가 있는 곳에 색을 입힌 그림`,
  unlike: "학습한 사진과 닮지 않았습니다. 어느 클래스도 아닐 수 있습니다.",
  wrong: "틀렸나요?",
  choose: "맞는 클래스 …",
  marked_as: "표시:",
  undo: "되돌리기",
  marked: (predicted) => `${predicted} 아님`,
  unsure: "불확실",
  all: "전체",
  status: (done, all) => (done < all ? `사진 ${all}장 중 ${done}장` : `사진 ${all}장`),
  unsure_first: "불확실한 것부터",
  save: "CSV로 저장",
  clear: "비우기",
  marks: (n) => `틀린 답 ${n}개를 표시했습니다`,
  marks_what: "표시한 사진은 실행 폴더에 저장됩니다. 이 명령으로 함께 다시 학습합니다:",
  copy: "복사",
  copied: "복사함",
  lost: "서버에 연결할 수 없습니다. 실행 중인지 확인하세요.",
  too_large: (most) => `서버가 받는 ${most} MB보다 파일이 큽니다.`,
  data: "데이터",
};

export const language = navigator.languages.find((l) => /^(en|ko)\b/.test(l))?.startsWith("ko") ? "ko" : "en";
const words = language === "ko" ? korean : english;
const percents = new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: 1, maximumFractionDigits: 1 });

export const percent = (share) => percents.format(share);

/** A text, or what a text's function makes of its arguments. */
export const say = (key, ...values) => (typeof words[key] === "function" ? words[key](...values) : words[key]);

/** Fills every element that names its text. */
export function fill(root) {
  for (const element of root.querySelectorAll("[data-say]")) element.textContent = say(element.dataset.say);
}
