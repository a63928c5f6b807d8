// Says as one types which accepted pattern a new password follows, and how hard it is to guess. Nothing leaves the page, and
// the server decides: it also knows leaked passwords, earlier ones and the person's names.
(() => {
  const field = document.getElementById("new-password");
  const repeated = document.getElementById("repeated");
  const rules = document.getElementById("password-rules");
  const status = document.getElementById("password-strength");
  const bar = document.getElementById("password-bar");
  const toggle = document.getElementById("password-toggle");
  if (!field || !repeated || !rules || !status || !bar || !toggle) return;

  const fold = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();
  const words = (text) => fold(text).match(/\p{Alphabetic}+/gu) || [];
  const asked = (name) => Number(rules.dataset[name]);
  const own = document.getElementById("login");
  const personal = own ? words(own.value).filter((word) => word.length >= 4) : [];

  const met = (text) => {
    const length = [...text].length;
    const three = /\p{Lowercase}/u.test(text) && /\p{Uppercase}/u.test(text) && /[0-9]/.test(text);
    const special = /[^\p{Lowercase}\p{Uppercase}0-9]/u.test(text);
    return {
      four: three && special && length >= asked("four"),
      three: three && length >= asked("three"),
      words: new Set(words(text).filter((word) => word.length >= 3)).size >= asked("words"),
    };
  };

  // What anybody tries first costs little; each other character ten times more.
  const ROWS = ["azertyuiop", "qsdfghjklm", "wxcvbn", "qwertyuiop", "asdfghjkl", "zxcvbnm", "1234567890", "abcdefghijklmnopqrstuvwxyz"];
  const RUNS = ROWS.concat(ROWS.map((row) => [...row].reverse().join("")));
  const COMMON = ["motdepasse", "password", "passe", "bonjour", "bienvenue", "welcome", "soleil", "princesse", "doudou", "loulou",
    "chouchou", "coucou", "jetaime", "iloveyou", "marseille", "paris", "france", "football", "formation", "apprenti", "stagiaire",
    "admin", "azerty", "qwerty", "secret", "nicolas", "camille", "printemps", "automne", "hiver", "janvier", "fevrier", "mars",
    "avril", "juin", "juillet", "aout", "septembre", "octobre", "novembre", "decembre", "lundi", "dimanche", "dragon", "monkey"];
  const SIGNS = { 0: "o", 1: "i", 3: "e", 4: "a", 5: "s", 7: "t", "@": "a", "$": "s", "!": "i" };

  const same = (text, from) => {
    for (let size = 1; size <= 8; size += 1) {
      const one = text.slice(from, from + size);
      let end = from + size;
      while (one.length === size && text.startsWith(one, end)) end += size;
      if (end - from >= Math.max(3, 2 * size)) return { length: end - from, cost: size + Math.log10((end - from) / size) };
    }
    return null;
  };
  const run = (text, from) => {
    let length = 0;
    for (const row of RUNS) {
      const at = row.indexOf(text[from]);
      let here = 0;
      while (at >= 0 && at + here < row.length && row[at + here] === text[from + here]) here += 1;
      length = Math.max(length, here);
    }
    return length >= 3 ? { length, cost: 1.5 + Math.log10(length) } : null;
  };
  const known = (text, from) => {
    const year = /^(19|20)[0-9]{2}/.exec(text.slice(from));
    if (year) return { length: 4, cost: 2 };
    const plain = [...text.slice(from)].map((sign) => SIGNS[sign] || sign).join("");
    const found = COMMON.concat(personal).filter((word) => plain.startsWith(word));
    return found.length ? { length: Math.max(...found.map((word) => word.length)), cost: 2 } : null;
  };
  const score = (typed) => {
    const text = fold(typed);
    let [from, guesses] = [0, 0];
    while (from < text.length && guesses < 20) {
      const part = [same(text, from), run(text, from), known(text, from)].filter(Boolean).sort((a, b) => b.length - a.length)[0];
      guesses += part ? part.cost : 1;
      from += part ? part.length : 1;
    }
    return [3, 6, 8, 10].filter((limit) => guesses >= limit).length;
  };

  const show = () => {
    const typed = field.value;
    const found = met(typed);
    const strength = score(typed);
    const mentioned = personal.some((word) => fold(typed).includes(word));
    for (const rule of rules.querySelectorAll("[data-rule]")) rule.toggleAttribute("data-met", found[rule.dataset.rule]);
    bar.hidden = typed === "";
    bar.dataset.score = String(strength);
    const suits = Object.values(found).some(Boolean);
    const pattern = suits ? status.dataset.good : status.dataset.short;
    const hard = status.dataset.guess.split("|")[strength];
    const lines = [pattern, hard, mentioned ? status.dataset.personal : ""].filter(Boolean);
    const text = typed === "" ? "" : lines.join(" ");
    if (status.textContent !== text) status.textContent = text;
    status.toggleAttribute("data-suits", suits && strength >= asked("least") && !mentioned);
  };

  const reveal = (type) => {
    for (const one of [field, repeated]) one.type = type;
    toggle.textContent = type === "text" ? toggle.dataset.hide : toggle.dataset.show;
  };
  toggle.addEventListener("click", () => reveal(field.type === "text" ? "password" : "text"));
  // A browser remembers what stood in a text field.
  field.form.addEventListener("submit", () => reveal("password"));
  toggle.hidden = false;
  field.addEventListener("input", show);
  show();
})();
