# A function in Ruby: greets.

def handler(event:, context:)
  { greeting: "Hello, #{event['name']}!", function: context.function_name }
end
