// Validates access tokens with golang-jwt and keyfunc, one per line of the input.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"
	"golang.org/x/time/rate"
)

var parser = jwt.NewParser(
	// Only asymmetric algorithms that your issuer uses. Never take them from the token.
	jwt.WithValidMethods([]string{"ES256", "EdDSA", "RS256"}),
	jwt.WithIssuer(os.Getenv("ISSUER")),
	jwt.WithAudience(os.Getenv("AUDIENCE")),
	// Without this option, a token without exp would never expire.
	jwt.WithExpirationRequired(),
	jwt.WithIssuedAt(),
	jwt.WithLeeway(10*time.Second),
)

// claims are those that RFC 9068 requires; golang-jwt itself requires only exp, iss and aud.
type claims struct {
	jwt.RegisteredClaims
	ClientID string `json:"client_id"`
}

// Validate is called by golang-jwt, after its own checks.
func (c claims) Validate() error {
	if c.Subject == "" || c.ID == "" || c.ClientID == "" || c.IssuedAt == nil {
		return errors.New("sub, jti, client_id or iat is missing")
	}
	return nil
}

// verify returns the claims of an access token for this API, and an error for any other token.
func verify(token string, keys keyfunc.Keyfunc) (*claims, error) {
	parsed, err := parser.ParseWithClaims(token, &claims{}, keys.Keyfunc)
	if err != nil {
		return nil, err
	}
	// RFC 9068: rejects an ID token of the same issuer, which passes all checks above.
	kind, _ := parsed.Header["typ"].(string)
	if strings.TrimPrefix(strings.ToLower(kind), "application/") != "at+jwt" {
		return nil, errors.New("typ is not at+jwt")
	}
	return parsed.Claims.(*claims), nil
}

func main() {
	url := os.Getenv("ISSUER") + "/.well-known/jwks.json"
	// One per process: it caches the keys, and fetches again for an unknown kid.
	keys, err := keyfunc.NewDefaultOverrideCtx(context.Background(), []string{url}, keyfunc.Override{
		HTTPTimeout:       5 * time.Second,
		RefreshInterval:   5 * time.Minute,
		RefreshUnknownKID: rate.NewLimiter(rate.Every(30*time.Second), 1),
		// A token with an unknown kid does not wait for the limiter.
		RateLimitWaitMax: time.Second,
	})
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if claims, err := verify(lines.Text(), keys); err == nil {
			fmt.Println("accepted", claims.Subject)
		} else {
			// For your log only. Answer the client with "invalid_token" and nothing more.
			fmt.Printf("refused %q\n", err)
		}
	}
}
