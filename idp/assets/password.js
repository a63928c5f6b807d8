// Says as one types which accepted pattern a password follows. Nothing leaves the page; the server decides.
(() => {
  const field = document.getElementById("new-password");
  const status = document.getElementById("password-strength");
  if (!field || !status) return;
  const words = (text) => new Set((text.toLowerCase().match(/\p{L}{3,}/gu) || [])).size;
  const met = (text) => {
    const length = [...text].length;
    const three = /\p{Ll}/u.test(text) && /\p{Lu}/u.test(text) && /[0-9]/.test(text);
    const special = /[^\p{Ll}\p{Lu}0-9]/u.test(text);
    return { four: three && special && length >= 12, three: three && length >= 14, words: words(text) >= 7 };
  };
  field.addEventListener("input", () => {
    const found = met(field.value);
    for (const rule of document.querySelectorAll("#password-rules [data-rule]")) {
      rule.toggleAttribute("data-met", found[rule.dataset.rule]);
    }
    const good = Object.values(found).some(Boolean);
    status.textContent = field.value === "" ? "" : good ? status.dataset.good : status.dataset.short;
  });
})();
