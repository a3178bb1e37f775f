// The slider over the rollouts, and playing them.

const PLAYING = { slowest: 900, whole: 20000 }; // milliseconds a rollout at most, and for all of them

class Timeline {
  // show: is called after every change.
  constructor(model, show) {
    Object.assign(this, { model, show, timer: null, touched: false });
    this.slider = document.getElementById("rollout");
    this.button = document.getElementById("play");
    this.slider.max = model.last;
    this.slider.value = model.last;
    this.slider.addEventListener("input", () => {
      const wanted = Number(this.slider.value);
      this.stop();
      this.go(wanted);
    });
    this.button.addEventListener("click", () => this.toggle());
    this.#report();
  }

  // Nodes that the last of the played rollouts brought, and those on the way to them.
  get fresh() {
    const { model } = this;
    return new Set(
      this.touched
        ? model.numbers.filter((node) => node > 0 && model.nodes[node].created_at === model.rollouts - 1)
        : [],
    );
  }

  get walked() {
    return new Set([...this.fresh].flatMap((node) => this.model.path(node)));
  }

  go(rollouts) {
    this.touched = true;
    this.model.play(Math.max(0, Math.min(this.model.last, rollouts)));
    this.#report();
    this.show();
  }

  toggle() {
    if (this.timer !== null) {
      this.stop();
      return;
    }
    if (this.model.rollouts === this.model.last) this.go(0);
    const pause = Math.max(60, Math.min(PLAYING.slowest, PLAYING.whole / this.model.last));
    this.timer = setInterval(() => {
      this.go(this.model.rollouts + 1);
      if (this.model.rollouts >= this.model.last) this.stop();
    }, pause);
    this.#report();
  }

  stop() {
    clearInterval(this.timer);
    this.timer = null;
    this.#report();
  }

  #report() {
    const { model, slider, button } = this;
    const playing = this.timer !== null;
    button.classList.toggle("playing", playing);
    button.setAttribute("aria-label", playing ? "Pause" : "Play the rollouts");
    slider.value = model.rollouts;
    const existing = model.numbers.filter((node) => model.exists(node));
    const right = existing.filter((node) => model.nodes[node].correct).length;
    const words = `${model.rollouts} of ${model.last} rollouts · ${plural(existing.length, "node")} · ${right} right`;
    document.getElementById("when").textContent = words;
    slider.setAttribute("aria-valuetext", words);
  }
}
