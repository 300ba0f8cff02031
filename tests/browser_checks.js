// What is wrong with a page: each check returns a list of faults, empty if there are none.
const checks = (() => {
  const all = (selector) => [...document.querySelectorAll(selector)];
  const isShown = (element) => element.checkVisibility({ visibilityProperty: true });
  const name = (element) => {
    const kind = element.tagName.toLowerCase() + (element.classList.length ? "." + [...element.classList].join(".") : "");
    return [kind, element.getAttribute("href") ?? element.getAttribute("aria-label") ?? ""].join(" ").trim();
  };

  // Every piece of text that is shown: {node, element, box}.
  function texts() {
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const node = walker.currentNode, element = node.parentElement;
      if (!node.data.trim() || !isShown(element) || element.closest("title, desc, style")) continue;
      const range = document.createRange();
      range.selectNodeContents(node);
      found.push({ node, element, boxes: [...range.getClientRects()] });
    }
    return found;
  }

  // [red, green, blue, opacity] of a computed colour.
  function rgba(text) {
    const numbers = text.match(/[\d.]+/g).map(Number);
    return numbers.length === 4 ? numbers : [...numbers, 1];
  }

  function background(element) {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 1) return colour;
      if (colour[3] > 0) throw new Error(name(at) + ": a background that is half transparent");
    }
    throw new Error("the page has no background");
  }

  // W3C, Web Content Accessibility Guidelines 2.2: relative luminance and contrast ratio.
  function luminance(colour) {
    const [red, green, blue] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  return {
    broken_images: () => all("img").filter((image) => !image.complete || !image.naturalWidth).map(name),

    overflow() {
      const faults = [];
      const width = document.documentElement.clientWidth;
      if (document.documentElement.scrollWidth > width)
        faults.push(`the page is ${document.documentElement.scrollWidth} wide on ${width}`);
      for (const { node, element, boxes } of texts())
        if (!element.closest(".scroll, .skip") && boxes.some((box) => box.right > width + 1 || box.left < -1))
          faults.push(`${name(element)}: "${node.data.trim().slice(0, 40)}" is beyond the screen`);
      return faults;
    },

    // Text that is cut: by a box that hides what overflows, or by the edge of a figure.
    clipped() {
      const faults = [];
      for (const { node, element, boxes } of texts())
        for (let at = element; at; at = at.parentElement) {
          if (at.matches(".scroll, .skip, html, body") || getComputedStyle(at).overflowX === "visible") continue;
          const edge = at.getBoundingClientRect();
          if (boxes.some((box) => box.left < edge.left - 1 || box.right > edge.right + 1 ||
                                  box.top < edge.top - 1 || box.bottom > edge.bottom + 1))
            faults.push(`${name(at)}: cuts "${node.data.trim().slice(0, 40)}"`);
        }
      return faults;
    },

    without_text() {
      const pictures = all("img").filter((image) => !image.alt.trim());
      const drawings = all("svg").filter((svg) => !(svg.getAttribute("role") === "img" &&
        (svg.getAttribute("aria-labelledby") ?? "").split(" ").filter((id) => document.getElementById(id)?.textContent.trim()).length === 2));
      const ids = all("[id]").map((element) => element.id);
      const twice = ids.filter((id, place) => ids.indexOf(id) !== place).map((id) => `the id ${id} is there twice`);
      return [...pictures, ...drawings].map(name).concat(twice);
    },

    headings() {
      const levels = all("h1, h2, h3, h4, h5, h6").map((heading) => Number(heading.tagName[1]));
      const faults = levels.filter((level, place) => place && level > levels[place - 1] + 1).map((level) => `h${level} skips a level`);
      if (levels[0] !== 1 || levels.filter((level) => level === 1).length !== 1) faults.push("not one h1 at the start");
      if (!document.documentElement.lang) faults.push("no lang");
      return faults;
    },

    contrast() {
      const faults = new Set();
      for (const { node, element } of texts()) {
        const style = getComputedStyle(element);
        const inFigure = element.closest("svg");
        const ink = rgba(inFigure ? style.fill : style.color);
        const [low, high] = [luminance(ink), luminance(background(element))].sort((a, b) => a - b);
        const ratio = (high + 0.05) / (low + 0.05);
        const size = parseFloat(style.fontSize);
        const isLarge = !inFigure && (size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700));
        if (ratio < (isLarge ? 3 : 4.5))
          faults.add(`${name(element)}: "${node.data.trim().slice(0, 30)}" has ${ratio.toFixed(2)}`);
      }
      return [...faults];
    },

    // A box that scrolls, but not by the keyboard, or that does not say what it holds.
    unreachable: () => all("body *").filter((element) =>
      ["auto", "scroll"].includes(getComputedStyle(element).overflowX) &&
      (element.getAttribute("tabindex") !== "0" || !element.getAttribute("aria-label"))).map(name),

    // Where Tab must stop, in order: links, summaries, and each box whose content is wider than it.
    focusable: () => all("a[href], summary, [tabindex='0']").filter(isShown).map(name),

    unfold: () => all("details").map((details) => { details.open = true; return ""; }),

    focused: () => document.activeElement === document.body ? "" : name(document.activeElement),
  };
})();
