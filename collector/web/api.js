// Questions to the server; api.h says what there is.

async function answer(reply) {
  const body = await reply.json().catch(() => ({ error: `${reply.status} ${reply.statusText}` }));
  if (reply.ok)
    return body;
  const error = new Error(body.error || `${reply.status} ${reply.statusText}`);
  error.status = reply.status;
  throw error;
}

function path(parts) {
  return "/api/" + parts.map(encodeURIComponent).join("/");
}

// query: an object; undefined and "" are left out.
export function address(parts, query = {}) {
  const search = new URLSearchParams();
  for (const [key, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "")
      search.set(key, value);
  const text = search.toString();
  return path(parts) + (text ? "?" + text : "");
}

export async function get(parts, query, signal) {
  return answer(await fetch(address(parts, query), { signal }));
}

export async function post(parts, body, signal) {
  return answer(await fetch(path(parts), {
    method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body), signal,
  }));
}
