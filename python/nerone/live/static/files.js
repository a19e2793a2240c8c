// Scans dropped on the page, or chosen: files, several files, or folders such as a DICOM series.

const mostFiles = 4096;

function entriesOf(folder) {
  const reader = folder.createReader();
  const read = (found) =>
    new Promise((done, failed) => reader.readEntries(done, failed)).then((more) =>
      more.length > 0 ? read([...found, ...more]) : found); // a reader gives at most a hundred at once
  return read([]);
}

async function filesOf(entry) {
  if (entry.isFile) return [await new Promise((done, failed) => entry.file(done, failed))];
  const files = [];
  for (const inner of await entriesOf(entry)) {
    files.push(...(await filesOf(inner)));
    if (files.length > mostFiles) break;
  }
  return files;
}

async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry && item.webkitGetAsEntry()).filter(Boolean);
  if (entries.length === 0) return [...transfer.files];
  return (await Promise.all(entries.map(filesOf))).flat();
}

// Sends the files; returns a sentence where they were refused, else nothing.
async function upload(files, maxBytes) {
  if (files.length === 0) return "Nothing that can be sent was dropped.";
  const size = files.reduce((sum, file) => sum + file.size, 0);
  if (size > maxBytes) return `${(size / 2 ** 20).toFixed(0)} MiB are more than the ${maxBytes / 2 ** 20} MiB that an upload may have.`;
  const form = new FormData();
  for (const file of files) form.append("file", file, file.name);
  try {
    const answer = await fetch("api/upload", { method: "POST", body: form });
    return answer.ok ? "" : await answer.text();
  } catch {
    return "The upload was cut off; NERONE may have been stopped.";
  }
}

export function acceptFiles(input, zone, maxBytes, tell) {
  const send = async (files) => {
    zone.classList.add("sending");
    tell(await upload(files, maxBytes()));
    zone.classList.remove("sending");
  };
  input.addEventListener("change", async () => {
    await send([...input.files]);
    input.value = "";
  });
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, async (event) => {
      event.preventDefault();
      zone.classList.toggle("over", name === "dragover");
      if (name === "drop") await send(await dropped(event.dataTransfer));
    });
  }
}
