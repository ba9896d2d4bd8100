/** Fields as RFC 4180 has them; what a spreadsheet would take for a formula is made text. */
export function csv(rows: string[][]): string {
  const field = (text: string): string => {
    const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
    return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
  };
  return rows.map((r) => r.map(field).join(",")).join("\r\n") + "\r\n";
}
