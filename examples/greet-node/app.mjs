// A function in JavaScript, as an ES module: greets, and logs one line.

export const handler = async (event, context) => {
  console.log("greeting", event.name);
  return { greeting: `Hello, ${event.name}!`, left: context.getRemainingTimeInMillis() };
};
