// The page's own behaviour: keys, rows, sound, pictures that are fetched after the page.
import { Player } from "./player.js";
import { Rows } from "./rows.js";
import { fillParts, fetchPart } from "./parts.js";
import { watchCommits } from "./commits.js";

const said = document.getElementById("said");

function say(text, isWrong = false) {
  said.textContent = text;
  said.classList.toggle("wrong", isWrong);
}

const player = new Player(say);
const table = document.querySelector("table[data-rows]");
const rows = table ? new Rows(table, player, highlight) : null;

// The occurrence that is chosen in the list stands out in the picture.
function highlight() {
  for (const path of document.querySelectorAll(".overlay .occurrence.current")) path.classList.remove("current");
  const place = rows?.current?.dataset.place;
  if (place === undefined) return;
  const path = document.querySelector(`.overlay .occurrence[data-place="${CSS.escape(place)}"]`);
  if (!path) return;
  path.classList.add("current");
  path.parentNode.append(path); // over the others
}

function isTyping(target) {
  return target instanceof HTMLElement && (target.matches("input, select, textarea") || target.isContentEditable);
}

function follow(selector) {
  const link = document.querySelector(selector);
  if (link) link.click();
  return Boolean(link);
}

function toggleHelp() {
  const help = document.getElementById("help");
  if (help.open) help.close();
  else help.showModal();
}

const keys = {
  "/": () => {
    const search = document.getElementById("search");
    if (search) {
      search.focus();
      search.select();
    } else location.assign("/#search");
    return true;
  },
  "?": () => { toggleHelp(); return true; },
  j: () => rows?.move(1),
  ArrowDown: () => rows?.move(1),
  k: () => rows?.move(-1),
  ArrowUp: () => rows?.move(-1),
  n: () => follow(".pager a[rel=next]"),
  p: () => follow(".pager a[rel=prev]"),
  "+": () => follow("a[data-move=in]"),
  "=": () => follow("a[data-move=in]"),
  "-": () => follow("a[data-move=out]"),
  ArrowLeft: () => follow("a[data-move=back]"),
  ArrowRight: () => follow("a[data-move=on]"),
  Escape: () => { player.stop(); return false; },
};

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (document.getElementById("help").open) {
    if (event.key === "?") { toggleHelp(); event.preventDefault(); }
    return;
  }
  if (isTyping(event.target)) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  if (event.key === "Enter" || event.key === " ") {
    // a button or link that has the focus keeps its own meaning
    if (event.target.closest("a, button, summary")) return;
    if (rows?.activate()) event.preventDefault();
    return;
  }
  if (keys[event.key]?.()) event.preventDefault();
});

document.addEventListener("click", (event) => {
  const play = event.target.closest("[data-sound]");
  if (play) {
    rows?.choose(play.closest("tr"), false);
    player.toggle(play);
    return;
  }
  const choice = event.target.closest("button[data-for]");
  if (choice) {
    for (const other of choice.parentNode.children) other.setAttribute("aria-pressed", String(other === choice));
    fetchPart(document.getElementById(choice.dataset.for), choice.dataset.part);
    return;
  }
  const move = event.target.closest("a[data-move]");
  if (move && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
    const part = move.closest(".part");
    if (part) {
      event.preventDefault();
      const kept = move.dataset.move;
      fetchPart(part, move.dataset.part).then(() => part.querySelector(`[data-move="${kept}"]`)?.focus());
      history.replaceState(null, "", move.href);
    }
    return;
  }
  const place = event.target.closest(".overlay [data-place]");
  if (place && rows) rows.choosePlace(place.dataset.place);
});

document.getElementById("help-button").addEventListener("click", toggleHelp);
document.getElementById("play-all")?.addEventListener("click", () => {
  player.playAll([...table.querySelectorAll("[data-sound]")], (button) => rows.choose(button.closest("tr"), false));
});
if (location.hash === "#search") document.getElementById("search")?.focus();

fillParts(highlight);
watchCommits();
document.documentElement.dataset.ready = "true";
