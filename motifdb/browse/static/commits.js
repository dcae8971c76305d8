// Says when the database has a newer commit than the page was made from.
const EVERY_MS = 15000;

export function watchCommits() {
  const shown = Number(document.body.dataset.commit);
  const banner = document.getElementById("newer");
  document.getElementById("reload").addEventListener("click", () => location.reload());
  async function look() {
    if (document.hidden) return;
    try {
      const answer = await fetch("/state");
      if (!answer.ok) return;
      const { newest, is_fixed: isFixed } = await answer.json();
      document.getElementById("newer-commit").textContent = String(newest);
      banner.hidden = isFixed || newest <= shown;
    } catch {
      // the server was ended; the next click says so
    }
  }
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
}
