// A table whose rows are walked with keys: one of them is the current one and has the focus.
export class Rows {
  constructor(table, player, onChoose) {
    this.rows = [...table.tBodies[0].rows];
    this.player = player;
    this.onChoose = onChoose;
    this.current = null;
    for (const row of this.rows) {
      row.tabIndex = -1;
      row.addEventListener("focusin", () => this.choose(row, false));
    }
    if (this.rows.length) this.rows[0].tabIndex = 0;
  }

  move(by) {
    if (!this.rows.length) return false;
    const at = this.rows.indexOf(this.current);
    const to = at < 0 ? 0 : Math.min(this.rows.length - 1, Math.max(0, at + by));
    this.choose(this.rows[to], true);
    return true;
  }

  choose(row, isFocused) {
    if (!row || !this.rows.includes(row)) return;
    if (row !== this.current) {
      for (const other of this.rows) {
        other.tabIndex = other === row ? 0 : -1;
        other.classList.toggle("current", other === row);
        if (other === row) other.setAttribute("aria-current", "true");
        else other.removeAttribute("aria-current");
      }
      this.current = row;
      this.onChoose(row);
    }
    if (isFocused && document.activeElement !== row) {
      row.focus({ preventScroll: true });
      row.scrollIntoView({ block: "nearest" });
    }
  }

  choosePlace(place) {
    this.choose(this.rows.find((row) => row.dataset.place === place), true);
  }

  // Enter or Space: open the motif, or play the occurrence.
  activate() {
    const row = this.current;
    if (!row) return false;
    const play = row.querySelector("[data-sound]");
    if (play) this.player.toggle(play);
    else row.querySelector("a.open")?.click();
    return true;
  }
}
