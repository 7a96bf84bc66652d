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
        errorMessage: message(error),
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

    # An error's own class may compute its message, and fail.
    def message(error)
      readable(error.message)
    rescue StandardError
      @class_name
    end

    # JSON takes no text that is not UTF-8.
    def readable(text)
      return text unless text.is_a?(String)

      text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
      text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace).scrub
    end

    def stack(error)
      lines = (error.backtrace || []).first(MOST_LINES).map { |line| readable(line.to_s) }
      lines.take_while { |line| !line.start_with?(OWN_FOLDER) }
    end
  end
end
