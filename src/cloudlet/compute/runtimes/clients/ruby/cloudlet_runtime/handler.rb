# frozen_string_literal: true

require 'stringio'

module AwsLambda
  # Turns events into objects and results into JSON. Functions may override both.
  class Marshaller
    class << self
      def marshall_request(raw_request)
        raw_request['Content-Type'] == 'application/json' ? JSON.parse(raw_request.body) : raw_request.body
      end

      def marshall_response(method_response)
        case method_response
        when StringIO, IO then [method_response, 'application/unknown']
        else method_response.to_json
        end
      end
    end
  end
end

module CloudletRuntime
  # A function's handler: `file.method` or `file.Class.method`.
  # https://docs.aws.amazon.com/lambda/latest/dg/ruby-handler.html
  class Handler
    def initialize(name)
      parts = name.split('.')
      unless [2, 3].include?(parts.size)
        raise ArgumentError, "Invalid handler #{parts}, must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD " \
                             'where FILENAME corresponds with an existing Ruby source file FILENAME.rb, CLASS is an ' \
                             'optional module/class namespace and METHOD is a callable method. If using CLASS, ' \
                             'METHOD must be a class-level method.'
      end
      @file = parts.first
      @class_name = parts[1] if parts.size == 3
      @method = parts.last
    end

    def load
      require @file
    end

    # The response's body and its type. Raises HandlerError, with what was raised as its cause.
    def call(invocation)
      event = AwsLambda::Marshaller.marshall_request(invocation)
      receiver = @class_name ? Kernel.const_get(@class_name) : self
      result = receiver.__send__(@method, event: event, context: LambdaContext.new(invocation))
      body, type = AwsLambda::Marshaller.marshall_response(result)
      [body.respond_to?(:read) ? body.read : body, type || 'application/json']
    rescue NameError # a NoMethodError too: the code cannot work
      raise HandlerError.new(is_critical: true)
    rescue StandardError
      raise HandlerError.new(is_critical: false)
    rescue Exception # rubocop:disable Lint/RescueException - SystemExit, NoMemoryError ...
      raise HandlerError.new(is_critical: true)
    end
  end
end
