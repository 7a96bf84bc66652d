# frozen_string_literal: true

module CloudletRuntime
  # Whatever a handler has raised is its cause. After a critical one the sandbox ends.
  class HandlerError < StandardError
    attr_reader :is_critical

    def initialize(is_critical:)
      super()
      @is_critical = is_critical
    end
  end

  # An exception as AWS's Ruby runtime tells of it: `Function<RuntimeError>`.
  # https://docs.aws.amazon.com/lambda/latest/dg/ruby-exceptions.html
  class ErrorReport
    STANDARD = %w[
      ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError
    ].freeze
    OWN_FOLDER = File.dirname(__dir__)
    MOST_LINES = 100

    def initialize(error, phase)
      @class_name = error.class.to_s
      @content = {
        errorMessage: error.message,
        errorType: "#{phase}<#{@class_name}>",
        stackTrace: stack(error)
      }
    end

    # The header's text says no more than that it is the function's own error.
    def header
      STANDARD.include?(@class_name) ? @content[:errorType] : 'Function<UserException>'
    end

    def to_json(*options)
      @content.to_json(*options)
    end

    def pretty
      JSON.pretty_generate(@content)
    end

    private

    def stack(error)
      lines = (error.backtrace || []).first(MOST_LINES).map(&:to_s)
      lines.take_while { |line| !line.start_with?(OWN_FOLDER) }
    end
  end
end
