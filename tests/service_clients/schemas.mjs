// Schemas of many kinds. Their strings and lists have an end, as a model of stories would not end them.
const object = (properties, more = {}) => ({ type: "object", properties, required: Object.keys(properties), additionalProperties: false, ...more });
const list = (items, minItems, maxItems) => ({ type: "array", items, minItems, maxItems });
const text = (maxLength, more = {}) => ({ type: "string", maxLength, ...more });

export const schemas = {
  person: object({ name: text(20), age: { type: "integer", minimum: 0, maximum: 130 }, is_tall: { type: "boolean" } }),
  optional_properties: { type: "object", properties: { a: text(8), b: { type: "integer" }, c: { type: "null" } }, required: ["b"], additionalProperties: false },
  points: list(object({ x: { type: "number", minimum: -1, maximum: 1 }, y: { type: "number", exclusiveMinimum: 0, maximum: 10 } }), 2, 3),
  choice_of_words: { enum: ["yes", "no", "perhaps", 7, null, { deep: [1, 2] }] },
  constant: object({ kind: { const: "story" }, version: { const: 3 } }),
  date_or_name: { anyOf: [{ type: "string", format: "date-time" }, { type: "string", pattern: "^[A-Z][a-z]{2,9}(, [A-Z][a-z]{2,9})?$" }] },
  cat_or_dog: {
    oneOf: [object({ kind: { const: "cat" }, lives: { type: "integer", minimum: 1, maximum: 9 } }), object({ kind: { const: "dog" }, name: text(12) })],
  },
  nested_lists: list(list({ type: "boolean" }, 1, 2), 1, 3),
  tree: {
    $defs: { node: object({ value: { type: "integer", minimum: 0, maximum: 99 }, children: list({ $ref: "#/$defs/leaf" }, 0, 2) }),
             leaf: object({ value: { type: "integer", minimum: 0, maximum: 99 } }) },
    $ref: "#/$defs/node",
  },
  pair: { type: "array", prefixItems: [text(10), { type: "integer", minimum: 1, maximum: 1000 }], items: false, minItems: 2 },
  even_numbers: list({ type: "integer", multipleOf: 2, minimum: 0, maximum: 1000 }, 1, 4),
  formats: object({ day: { type: "string", format: "date" }, id: { type: "string", format: "uuid" }, host: { type: "string", format: "ipv4" } }),
  code: { type: "string", pattern: "^[A-Z]{3}-[0-9]{4}$" },
  bounded_text: { type: "string", minLength: 5, maxLength: 15 },
  numbers: object({ small: { type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }, big: { type: "integer", minimum: 100000, maximum: 100100 } }),
  several_types: { type: ["string", "integer", "null"], maxLength: 12 },
  both: { allOf: [object({ a: { type: "integer", minimum: 3 } }), { properties: { a: { maximum: 5 } } }] },
  map: { type: "object", properties: { id: { type: "integer" } }, required: ["id"], additionalProperties: false },
  sentence: object({ subject: { enum: ["the fox", "the old lamp", "Klara"] }, verb: text(10, { pattern: "^[a-z]+$" }), times: { type: "integer", minimum: 1, maximum: 5 } }),
  escapes: object({ "a \"quoted\" name": text(6), "ünïcode": text(6), "": { type: "boolean" } }),
};
