// Parts of a page that take longer are fetched after it, at the width there is.
export async function fetchPart(part, address) {
  const url = new URL(address, location.href);
  if (part.tagName === "FIGURE") url.searchParams.set("width", String(Math.round(Math.max(300, part.clientWidth))));
  part.dataset.part = address;
  part.setAttribute("aria-busy", "true");
  if (!part.hasChildNodes()) part.append("working …");
  let body;
  try {
    body = await (await fetch(url)).text();
  } catch {
    body = '<p class="error">The page is no longer served: start <code>motifdb browse</code> again.</p>';
  }
  if (part.dataset.part !== address) return; // another one was asked for meanwhile
  part.replaceChildren(...new DOMParser().parseFromString(body, "text/html").body.childNodes);
  part.removeAttribute("aria-busy");
}

export function fillParts(onDrawn) {
  const parts = [...document.querySelectorAll(".part[data-part]")];
  const fill = (part) => fetchPart(part, part.dataset.part).then(onDrawn);
  parts.forEach(fill);
  let width = innerWidth;
  let timer;
  addEventListener("resize", () => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (innerWidth === width) return;
      width = innerWidth;
      parts.filter((part) => part.tagName === "FIGURE").forEach(fill);
    }, 250);
  });
}
