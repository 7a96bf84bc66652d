# frozen_string_literal: true

module CloudletRuntime
  # What `puts` and `Logger` write, in frames to the telemetry pipe:
  #
  #   +---------------+------------------+------------------------+---------+
  #   | type, 4 bytes | length, 4 bytes  | microseconds, 8 bytes  | message |      big endian
  #   +---------------+------------------+------------------------+---------+
  #
  # https://docs.aws.amazon.com/lambda/latest/dg/ruby-logging.html
  module Logs
    FRAME = 0xa55a0003

    # A log device of the standard library's Logger.
    class Sink < ::Logger::LogDevice
      def initialize(file) # rubocop:disable Lint/MissingSuper - it would open another file
        @file = file
      end

      def write(message)
        now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
        @file.write([FRAME, message.bytesize, now].pack('L>L>Q>') + message.b)
      end

      def reopen(_log = nil)
        self
      end

      def close; end
    end

    # A line as AWS's runtime has it: the request's id stands in it.
    class TextFormatter < ::Logger::Formatter
      LINE = "%<letter>s, [%<time>s #%<process>d] %<severity>5s %<id>s -- %<program>s: %<message>s\n"

      def call(severity, time, program, message)
        format(LINE, letter: severity[0], time: format_datetime(time), process: Process.pid, severity: severity,
                     id: Logs.request_id, program: program, message: msg2str(message))
          .encode('UTF-8', invalid: :replace, undef: :replace)
      end
    end

    # The same as JSON.
    class JsonFormatter < ::Logger::Formatter
      def call(severity, time, program, message)
        line = { timestamp: time.utc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ'), level: severity,
                 message: message.is_a?(Exception) ? message.message : msg2str(message), requestId: Logs.request_id }
        line[:logger] = program.to_s unless program.to_s.empty?
        if message.is_a?(Exception)
          line[:errorType] = message.class.to_s
          line[:errorMessage] = message.message
          line[:stackTrace] = message.backtrace || []
        end
        "#{JSON.generate(line.compact)}\n"
      end
    end

    # Loggers that would write to standard output or error write to the pipe.
    module LoggerPatch
      def initialize(device = nil, *rest, **options)
        is_ours = device.nil? || device == $stdout || device == $stderr
        options[:level] ||= Logs.level if is_ours
        super(is_ours ? Logs.sink : device, *rest, **options)
        @default_formatter = Logs.formatter if is_ours
      end
    end

    class << self
      attr_accessor :request_id
      attr_reader :sink, :formatter

      def start
        descriptor = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD') or return
        file = IO.for_fd(descriptor.to_i, 'wb')
        file.sync = true
        file.close_on_exec = true
        @sink = Sink.new(file)
        @formatter = ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.casecmp?('json') ? JsonFormatter.new : TextFormatter.new
        ::Logger.prepend(LoggerPatch)
        patch_puts
      end

      def level
        name = ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.downcase
        { 'trace' => 'debug', '' => 'debug' }.fetch(name, name)
      end

      def error(title, report)
        puts title
        puts report.pretty
      end

      private

      def patch_puts
        Kernel.module_eval do
          def puts(*values)
            CloudletRuntime::Logs.sink.write(values.flatten.map { |value| value.to_s.encode('UTF-8') }.join("\n"))
          end
          private :puts
        end
      end
    end
  end
end
