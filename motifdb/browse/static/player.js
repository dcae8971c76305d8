// One sound at a time. It is fetched whole, so that a reason can be said where there is none.
export class Player {
  constructor(say) {
    this.say = say;
    this.audio = new Audio();
    this.audio.id = "audio";
    this.audio.hidden = true;
    document.body.append(this.audio);
    this.button = null;
    this.queue = [];
    this.onNext = null;
    this.audio.addEventListener("ended", () => this.next());
  }

  toggle(button) {
    const isSame = this.button === button;
    this.stop();
    if (!isSame) this.play(button);
  }

  playAll(buttons, onNext) {
    this.stop();
    this.queue = buttons.slice();
    this.onNext = onNext;
    this.next();
  }

  next() {
    const button = this.queue.shift();
    if (!button) {
      this.stop();
      return;
    }
    this.onNext?.(button);
    this.play(button);
  }

  async play(button) {
    this.release();
    this.button = button;
    button.classList.add("sounding");
    const name = button.getAttribute("aria-label").replace(/^Play /, "");
    try {
      const answer = await fetch(button.dataset.sound);
      if (!answer.ok) throw new Error((await answer.json()).error);
      const sound = await answer.blob();
      if (this.button !== button) return; // another one was asked for meanwhile
      this.audio.src = URL.createObjectURL(sound);
      await this.audio.play();
      const isSung = answer.headers.get("x-motifdb-source") === "f0";
      const note = answer.headers.get("x-motifdb-note");
      this.say(`Playing ${name}` + (isSung ? `: its pitch, sung by a synthesiser${note ? ` (${note})` : ""}` : ""));
    } catch (error) {
      if (this.button !== button) return;
      this.stop();
      this.say(`It cannot be played: ${error.message}`, true);
    }
  }

  stop() {
    this.queue = [];
    this.release();
    this.say("");
  }

  release() {
    this.audio.pause();
    if (this.audio.src.startsWith("blob:")) URL.revokeObjectURL(this.audio.src);
    this.audio.removeAttribute("src");
    this.button?.classList.remove("sounding");
    this.button = null;
  }
}
