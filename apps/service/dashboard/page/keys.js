// The keys that a visitor has typed in. They live as long as the tab.

const storage = { api: "troupe-api-key", admin: "troupe-admin-key" };

export const key = (kind) => sessionStorage.getItem(storage[kind]) ?? "";

export function set_key(kind, value) {
  if (value) sessionStorage.setItem(storage[kind], value);
  else sessionStorage.removeItem(storage[kind]);
}

const bearer = (value) => (value ? { authorization: `Bearer ${value}` } : {});
export const api_headers = () => bearer(key("api"));
export const admin_headers = () => bearer(key("admin"));
/// Either may watch.
export const watch_headers = () => bearer(key("api") || key("admin"));
