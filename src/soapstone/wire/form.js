"use strict";
// Builds the envelope from the fields, posts it to the endpoint and shows what came back.
(() => {
  const form = document.getElementById("test");
  const button = form.querySelector("button");
  const status = document.getElementById("status");
  const { path, namespace, operation, keptFrom } = form.dataset;
  const kept = Object.entries(JSON.parse(form.dataset.kept));
  const slot = (field) => `${path}#${field}`;
  const versions = {
    1.1: ["soap", "http://schemas.xmlsoap.org/soap/envelope/", "text/xml; charset=utf-8"],
    1.2: ["soap12", "http://www.w3.org/2003/05/soap-envelope", "application/soap+xml; charset=utf-8"],
  };
  const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
  const escaped = (text) => text.replace(/[&<>"]/g, (character) => entities[character]);

  // --- request: [tag with attributes, tag, text or list of elements], written one element a line like the sample

  function element(control) {
    const name = control.name.split("/").pop();
    if (!control.matches("fieldset")) {
      const type = control.dataset.type ? ` xsi:type="${control.dataset.type}"` : "";
      return control.value === "" ? null : [name + type, name, control.value];
    }
    const inner = elements(control);
    return inner.length ? [name, name, inner] : null;
  }

  function elements(group) {
    return [...group.children]
      .map((child) => (child.matches("label") ? child.querySelector("input, select, textarea") : child))
      .filter((child) => child.matches("fieldset, input, select, textarea"))
      .map(element)
      .filter(Boolean);
  }

  function lines([opening, name, content], pad) {
    if (typeof content === "string") return [`${pad}<${opening}>${escaped(content)}</${name}>`];
    if (!content.length) return [`${pad}<${opening} />`];
    return [`${pad}<${opening}>`, ...content.flatMap((each) => lines(each, `${pad}  `)), `${pad}</${name}>`];
  }

  function envelope(prefix, uri) {
    const parts = [...form.querySelectorAll("fieldset[data-part]")]
      .map((group) => [group.dataset.part, group.name, elements(group)])
      .filter(([part, , inner]) => part === "Body" || inner.length)
      .map(([part, name, inner]) => {
        const outer = `${prefix}:${part}`;
        return [outer, outer, [[`${name} xmlns="${escaped(namespace)}"`, name, inner]]];
      });
    const opening =
      `${prefix}:Envelope xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"` +
      ` xmlns:xsd="http://www.w3.org/2001/XMLSchema" xmlns:${prefix}="${uri}"`;
    return ['<?xml version="1.0" encoding="utf-8"?>', ...lines([opening, `${prefix}:Envelope`, parts], "")].join("\n");
  }

  // --- answer

  function tree(node) {
    const attributes = [...node.attributes].map((each) => ` ${each.name}="${escaped(each.value)}"`);
    const children = [...node.children];
    const text = node.textContent;
    return [node.nodeName + attributes.join(""), node.nodeName, children.length || !text ? children.map(tree) : text];
  }

  function parsed(text) {
    const xml = new DOMParser().parseFromString(text, "text/xml");
    return xml.getElementsByTagName("parsererror").length ? null : xml;
  }

  function keep(xml) {
    if (operation !== keptFrom || !xml) return;
    for (const [name, field] of kept) {
      const found = xml.getElementsByTagNameNS(namespace, name)[0];
      if (found && found.textContent) sessionStorage.setItem(slot(field), found.textContent);
    }
  }

  async function invoke() {
    const version = document.getElementById("version").value;
    const [prefix, uri, contentType] = versions[version];
    const headers = { "Content-Type": contentType };
    if (version === "1.1") headers.SOAPAction = `"${namespace}${operation}"`;
    const body = envelope(prefix, uri);
    document.getElementById("sent").textContent = body;
    const began = performance.now();
    const answer = await fetch(path, { method: "POST", headers, body, redirect: "error" });
    const text = await answer.text();
    const xml = parsed(text);
    keep(xml);
    document.getElementById("answer").textContent = xml ? lines(tree(xml.documentElement), "").join("\n") : text;
    document.getElementById("exchange").hidden = false;
    status.textContent = `HTTP ${answer.status}, ${Math.round(performance.now() - began)} ms`;
    status.className = answer.ok ? "good" : "bad";
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    status.className = "";
    status.textContent = "…";
    try {
      await invoke();
    } catch (trouble) {
      status.className = "bad";
      status.textContent = `No answer: ${trouble.message}`;
    } finally {
      button.disabled = false;
    }
  });

  for (const [, field] of kept) {
    const value = sessionStorage.getItem(slot(field));
    const control = form.elements.namedItem(field);
    if (value && control) control.value = value;
  }
})();
