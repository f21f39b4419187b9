// One picture: its thumbnail, what the classifier says, and what the person says.

import { fill, percent, say } from "/page/words.js";
import * as server from "/page/server.js";

const template = (id) => document.getElementById(id).content.firstElementChild.cloneNode(true);

export class Card {
  /** `onMarks` hears of the marks after each change. */
  constructor(file, name, classes, onMarks) {
    Object.assign(this, { file, name, classes, onMarks, prediction: null, right: null, content: null });
    this.element = template("card");
    fill(this.element);
    this.part = (selector) => this.element.querySelector(selector);
    this.part(".name").textContent = name;
    this.part(".name").title = name;
    const photo = this.part(".photo");
    photo.onerror = () => {
      photo.hidden = true;
      this.part(".picture").classList.add("none");
    };
    photo.alt = name;
    photo.loading = "lazy";
    photo.decoding = "async";
    this.url = URL.createObjectURL(file);
    photo.src = this.url;
    this.offerClasses();
  }

  offerClasses() {
    const select = this.part("select");
    select.append(new Option(say("choose"), ""), ...this.classes.map((name) => new Option(name, name)));
    select.setAttribute("aria-label", `${say("wrong")} ${this.name}`);
    select.onchange = () => this.correct(select.value);
    this.part(".undo").onclick = () => this.correct("");
  }

  /** Asks the server what it is. */
  async predict() {
    try {
      this.prediction = await server.predict(this.file, this.name);
      this.show();
    } catch (error) {
      this.fail(error);
      throw error;
    }
  }

  fail(error) {
    this.element.dataset.state = "failed";
    this.part(".class").textContent = "";
    this.part(".problem").hidden = false;
    this.part(".problem").textContent = error.message;
  }

  /** Lays over the picture where the evidence for the predicted class lies, or takes it away. */
  async explain() {
    const button = this.part(".why");
    const map = this.part(".map");
    const pressed = button.getAttribute("aria-pressed") !== "true";
    if (pressed && !map.src) {
      const { class: name } = this.prediction.top[0];
      button.disabled = true;
      try {
        map.src = URL.createObjectURL(await server.explain(this.file, name));
        map.alt = say("map", name, this.name);
        await map.decode();
      } catch (error) {
        this.part(".problem").hidden = false;
        this.part(".problem").textContent = error.message;
        map.removeAttribute("src");
        return;
      } finally {
        button.disabled = false;
      }
    }
    button.setAttribute("aria-pressed", String(pressed));
    map.hidden = !pressed;
    button.focus();
  }

  /** Marks the picture with its right class; an empty one, or the predicted one, takes the mark back. */
  async correct(right) {
    const select = this.part("select");
    select.disabled = true;
    try {
      if (right && right !== this.prediction.class) {
        const list = await server.mark(this.file, this.name, right);
        this.right = right;
        this.content = list.marks.at(-1).content;
        this.onMarks(list);
      } else if (this.content) {
        const list = await server.unmark(this.content);
        this.right = null;
        this.content = null;
        this.onMarks(list);
      }
      this.part(".problem").hidden = true;
    } catch (error) {
      this.part(".problem").hidden = false;
      this.part(".problem").textContent = error.message;
    }
    select.disabled = false;
    this.show();
  }

  show() {
    const { prediction, right } = this;
    this.element.dataset.state = right ? "marked" : "done";
    const heading = this.part(".class");
    heading.replaceChildren(right ?? prediction.class ?? say("unsure"));
    if (right) heading.append(" ", Object.assign(document.createElement("small"), { textContent: say("marked", prediction.class) }));
    this.part(".guesses").replaceChildren(...prediction.top.map(guess));
    this.part("select").value = right ?? "";
    this.part(".right span").textContent = say(right ? "marked_as" : "wrong");
    this.part(".undo").hidden = !right;
    this.part(".unlike").hidden = !prediction.unlike;
    const why = this.part(".why");
    why.hidden = this.part(".photo").hidden;
    why.title = say("why_of", prediction.top[0].class);
    why.onclick = () => this.explain();
  }

  /** The class that it counts for. */
  get class() {
    return this.right ?? this.prediction?.class ?? null;
  }

  remove() {
    URL.revokeObjectURL(this.url);
    if (this.part(".map").src) URL.revokeObjectURL(this.part(".map").src);
    this.element.remove();
  }
}

function guess({ class: name, probability }) {
  const item = template("guess");
  item.querySelector(".what").textContent = name;
  item.querySelector(".what").title = name;
  item.querySelector(".much").textContent = percent(probability);
  // The bar grows once it is on the page.
  requestAnimationFrame(() => item.querySelector(".fill").style.setProperty("--p", probability));
  return item;
}
