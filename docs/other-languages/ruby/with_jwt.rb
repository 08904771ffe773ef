# Validates access tokens with ruby-jwt, one per line of the input.
require "json"
require "jwt"
require "net/http"

ISSUER = ENV.fetch("ISSUER")
AUDIENCE = ENV.fetch("AUDIENCE")

# Only asymmetric algorithms that your issuer uses. Never take them from the token.
ALGORITHMS = %w[ES256 RS256].freeze

# The issuer's keys: ruby-jwt does not fetch keys itself.
class Keys
  MAX_AGE = 300
  COOLDOWN = 30 # limits fetches for unknown keys, in seconds

  # Called for each token, and again if the set has no key for the token's kid.
  def call(options)
    now = Process.clock_gettime(Process::CLOCK_MONOTONIC)
    at_most = options[:kid_not_found] ? COOLDOWN : MAX_AGE
    if @keys.nil? || now - @fetched > at_most
      set = JSON.parse(Net::HTTP.get(URI("#{ISSUER}/.well-known/jwks.json")), symbolize_names: true)
      # ruby-jwt raises an error for an unknown key type instead of skipping the key.
      @keys = { keys: set[:keys].select { |key| %w[EC RSA].include?(key[:kty]) } }
      @fetched = now
    end
    @keys
  end
end

KEYS = Keys.new

# Returns the claims of an access token for this API; raises JWT::DecodeError for any other token.
def verify(token)
  payload, header = JWT.decode(
    token, nil, true,
    algorithms: ALGORITHMS,
    jwks: KEYS.method(:call).to_proc,
    iss: ISSUER, verify_iss: true,
    aud: AUDIENCE, verify_aud: true,
    verify_iat: true,
    leeway: 10,
    # Required claims. Without this list, a token without exp would never expire.
    required_claims: %w[iss sub aud exp iat jti client_id]
  )
  # RFC 9068: rejects an ID token of the same issuer, which passes all checks above.
  kind = header.fetch("typ", "").downcase.delete_prefix("application/")
  raise JWT::DecodeError, "typ is not at+jwt" unless kind == "at+jwt"

  payload
end

$stdout.sync = true
$stdin.each_line do |line|
  puts "accepted #{verify(line.strip)['sub']}"
rescue JWT::DecodeError => e
  # For your log only. Answer the client with "invalid_token" and nothing more.
  puts "refused #{e.class} #{e.message}"
end
