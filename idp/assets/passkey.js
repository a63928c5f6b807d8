// Passkeys (WebAuthn): fetches a challenge, lets the browser answer it, and sends the answer in the page's own form.
// Where the browser knows none of this, the forms stay hidden and nothing is missing.
(() => {
  const forms = [...document.querySelectorAll("form[data-passkey]")];
  if (forms.length === 0 || !window.PublicKeyCredential || !navigator.credentials) return;
  const bytes = (text) =>
    Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
  const text = (buffer) =>
    btoa(Array.from(new Uint8Array(buffer), (b) => String.fromCharCode(b)).join(""))
      .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const withBytes = (list) => (list || []).map((one) => ({ ...one, id: bytes(one.id) }));

  const challenge = async (form) => {
    const body = new URLSearchParams({ csrf: form.elements.csrf.value });
    const answer = await fetch(form.dataset.options, { method: "POST", body, credentials: "same-origin" });
    if (!answer.ok) throw new Error("no challenge");
    return answer.json();
  };

  const get = async (form, more) => {
    const { ceremony, options } = await challenge(form);
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      allowCredentials: withBytes(options.allowCredentials),
    };
    const found = await navigator.credentials.get({ publicKey, ...more });
    const { authenticatorData, clientDataJSON, signature, userHandle } = found.response;
    send(form, ceremony, found, {
      authenticatorData: text(authenticatorData),
      clientDataJSON: text(clientDataJSON),
      signature: text(signature),
      userHandle: userHandle ? text(userHandle) : null,
    });
  };

  const create = async (form) => {
    const { ceremony, options } = await challenge(form);
    const publicKey = {
      ...options,
      challenge: bytes(options.challenge),
      user: { ...options.user, id: bytes(options.user.id) },
      excludeCredentials: withBytes(options.excludeCredentials),
    };
    const made = await navigator.credentials.create({ publicKey });
    const { attestationObject, clientDataJSON } = made.response;
    const transports = made.response.getTransports ? made.response.getTransports() : [];
    send(form, ceremony, made, {
      attestationObject: text(attestationObject),
      clientDataJSON: text(clientDataJSON),
      transports,
    });
  };

  const send = (form, ceremony, credential, response) => {
    form.elements.ceremony.value = ceremony;
    form.elements.credential.value = JSON.stringify({
      id: credential.id,
      rawId: text(credential.rawId),
      type: credential.type,
      response,
      extensions: {},
    });
    HTMLFormElement.prototype.submit.call(form);
  };

  let waiting = null;
  for (const form of forms) {
    form.hidden = false;
    const status = form.querySelector('[role="status"]');
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      if (waiting) waiting.abort();
      waiting = null;
      status.textContent = "";
      try {
        await (form.dataset.passkey === "create" ? create(form) : get(form, {}));
      } catch (error) {
        const { cancelled, failed, known } = form.dataset;
        status.textContent =
          error.name === "InvalidStateError" && known ? known : error.name === "NotAllowedError" ? cancelled : failed;
      }
    });
  }

  // In the suggestions of the field for the name, where the browser can: nothing to press. A challenge lives five minutes.
  const suggest = async (form) => {
    waiting = new AbortController();
    const mine = waiting;
    const renew = setTimeout(() => {
      mine.abort();
      if (waiting === mine) suggest(form);
    }, 240000);
    try {
      await get(form, { mediation: "conditional", signal: mine.signal });
    } catch {
      // Nothing was chosen: the page is as it was.
    } finally {
      clearTimeout(renew);
    }
  };
  const field = document.querySelector('input[autocomplete~="webauthn"]');
  const form = forms.find((one) => one.dataset.passkey === "get");
  if (field && form && PublicKeyCredential.isConditionalMediationAvailable) {
    PublicKeyCredential.isConditionalMediationAvailable().then((possible) => {
      if (possible) suggest(form);
    });
  }
})();
