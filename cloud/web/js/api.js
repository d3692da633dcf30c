// Questions to the centre.

/** GET a path; resolves to the JSON, rejects with the centre's own words. */
export async function get(path) {
  const response = await fetch(path);
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(answer.detail ? String(answer.detail) : `${response.status}`);
  return answer;
}
