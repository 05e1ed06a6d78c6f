// What an answer is compared with: shapes written like answers, with words in place of values. README.md lists the words.

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?Z?$/;
const isText = (value) => typeof value === "string";

const WORDS = {
  uuid: (value) => isText(value) && UUID.test(value),
  time: (value) => isText(value) && TIME.test(value) && !Number.isNaN(Date.parse(value)),
  date: (value) => isText(value) && /^\d{4}-\d\d-\d\d$/.test(value) && !Number.isNaN(Date.parse(value)),
  // Money is a decimal string without sign, where an indicator beside it has the sign; else with one.
  decimal: (value) => isText(value) && /^\d+(\.\d+)?$/.test(value),
  signed: (value) => isText(value) && /^-?\d+(\.\d+)?$/.test(value),
  // 32 bytes in standard base64.
  digest: (value) => isText(value) && /^[A-Za-z0-9+/]{43}=$/.test(value),
  url: (value) => isText(value) && URL.canParse(value),
  text: (value) => isText(value) && value !== "",
  string: isText,
  boolean: (value) => typeof value === "boolean",
  integer: Number.isInteger,
  number: Number.isFinite,
  null: (value) => value === null,
  object: (value) => typeof value === "object" && value !== null && !Array.isArray(value),
};

/** What differs, one line each; and the fields that are there beyond the shape's. `named` are the shapes that `@name` stands for. */
export function compare(value, shape, named, at = "answer") {
  if (typeof shape === "string" && shape.startsWith("@")) return compare(value, named[shape.slice(1)], named, at);
  if (typeof shape === "string") return { differences: fits(value, shape) ? [] : [`${at}: expected ${shape}, got ${shown(value)}`], more: [] };
  if (Array.isArray(shape)) return compareList(value, shape, named, at);
  if (shape.$or) return compareAny(value, shape.$or, named, at);
  return compareObject(value, shape, named, at);
}

function fits(value, words) {
  return words.split("|").some((word) => {
    const literal = /^'(.*)'$/.exec(word);
    if (literal) return value === literal[1];
    if (/^\d+$/.test(word)) return value === Number(word);
    if (!WORDS[word]) throw new Error(`no shape is called ${word}`);
    return WORDS[word](value);
  });
}

function compareList(value, shape, named, at) {
  if (!Array.isArray(value)) return { differences: [`${at}: expected an array, got ${shown(value)}`], more: [] };
  const none = shape[0] !== "any" && value.length === 0;
  if (none) return { differences: [`${at}: expected at least one row`], more: [] };
  return merged(value.map((row, index) => compare(row, shape.at(-1), named, `${at}[${index}]`)));
}

function compareAny(value, shapes, named, at) {
  const tries = shapes.map((shape) => compare(value, shape, named, at));
  return tries.find(({ differences }) => differences.length === 0) ?? tries.at(-1);
}

function compareObject(value, { $and, ...shape }, named, at) {
  if (!WORDS.object(value)) return { differences: [`${at}: expected an object, got ${shown(value)}`], more: [] };
  const parts = Object.entries(shape).map(([key, part]) => {
    const name = key.replace(/\?$/, "");
    if (name in value) return compare(value[name], part, named, `${at}.${name}`);
    return { differences: key === name ? [`${at}.${name}: expected, and absent`] : [], more: [] };
  });
  const known = Object.keys(shape).map((key) => key.replace(/\?$/, ""));
  const unknown = ({ differences, more }) => ({ differences, more: more.filter((line) => !known.some((name) => line === place(`${at}.${name}`))) });
  // What another shape says as well knows the fields that are not named here.
  if ($and) return merged([...parts.map(({ differences }) => ({ differences, more: [] })), unknown(compare(value, $and, named, at))]);
  return merged([...parts, { differences: [], more: Object.keys(value).filter((name) => !known.includes(name)).map((name) => `${at}.${name}`) }]);
}

/** Of many rows each thing is said once. */
function merged(parts) {
  const differences = parts.flatMap((part) => part.differences).reverse();
  return {
    differences: [...new Map(differences.map((line) => [place(line), line])).values()].reverse(),
    more: [...new Set(parts.flatMap((part) => part.more.map(place)))],
  };
}

function place(line) {
  return line.split(": expected")[0].replace(/\[\d+\]/g, "[]");
}

function shown(value) {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 80)}…` : text;
}
