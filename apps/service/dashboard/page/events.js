// Server-sent events from the body of a fetch: an EventSource could send no key, and no POST.

/// Yields {name, data} for each event of the answer's body, until it ends.
export async function* events_of(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  try {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value;
      const blocks = rest.split("\n\n");
      rest = blocks.pop();
      for (const block of blocks) {
        const event = { name: "message", data: "" };
        for (const line of block.split("\n")) {
          if (line.startsWith("data: ")) event.data += line.slice(6);
          else if (line.startsWith("event: ")) event.name = line.slice(7);
        }
        if (event.data) yield event; // Else a comment, which keeps the connection alive.
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

/// What went wrong, in the server's words if it has any.
export async function error_of(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return `the server answered ${response.status}`;
  }
}
