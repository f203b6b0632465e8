// The form that submits a job.

import * as api from "./api.js";
import {$, trouble} from "./dom.js";

const dialog = $("submit");

$("submit-open").addEventListener("click", () => {
  trouble($("submit-trouble"), "");
  dialog.showModal();
});
$("submit-cancel").addEventListener("click", () => dialog.close());

$("submit-file").addEventListener("change", async event => {
  const [file] = event.target.files;
  if (!file) return;
  $("submit-config").value = await file.text();
  if (!$("submit-name").value) $("submit-name").value = file.name.replace(/\.toml$/, "").toLowerCase().replace(/[^a-z0-9._-]/g, "-");
});

$("submit-form").addEventListener("submit", async event => {
  event.preventDefault();
  const told = {name: $("submit-name").value, config: $("submit-config").value};
  for (const key of ["base", "priority", "weight"]) {
    const value = $(`submit-${key}`).value;
    if (value) told[key] = key === "base" ? value : Number(value);
  }
  if ($("submit-paused").checked) told.paused = true;
  $("submit-send").disabled = true;
  try {
    await api.send("POST", "v1/jobs", told);
    dialog.close();
    $("submit-form").reset();
  } catch (error) {
    trouble($("submit-trouble"), error.message);
  } finally {
    $("submit-send").disabled = false;
  }
});
