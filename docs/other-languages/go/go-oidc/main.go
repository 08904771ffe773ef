// Validates access tokens with go-oidc, one per line of the input.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/go-jose/go-jose/v4"
)

var issuer = os.Getenv("ISSUER")

// Only asymmetric algorithms that your issuer uses: go-oidc's default is RS256 alone.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.EdDSA, jose.RS256}

// keys are the issuer's. go-oidc's own key set fetches them for each token whose signature is
// wrong, and keeps a withdrawn key until then.
type keys struct {
	mutex   sync.Mutex
	fetched time.Time
	set     jose.JSONWebKeySet
}

const (
	maxAge   = 5 * time.Minute
	cooldown = 30 * time.Second // limits the fetches for unknown kids
)

var client = http.Client{Timeout: 5 * time.Second}

// with returns the keys of this kid; none if the issuer does not publish it.
func (k *keys) with(kid string) ([]jose.JSONWebKey, error) {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	age, found := time.Since(k.fetched), k.set.Key(kid)
	if age < cooldown || (age < maxAge && len(found) > 0) {
		return found, nil
	}
	answer, err := client.Get(issuer + "/.well-known/jwks.json")
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	var set jose.JSONWebKeySet
	if err := json.NewDecoder(answer.Body).Decode(&set); err != nil {
		return nil, err
	}
	k.fetched, k.set = time.Now(), set
	return set.Key(kid), nil
}

// VerifySignature is called by go-oidc.
func (k *keys) VerifySignature(_ context.Context, token string) ([]byte, error) {
	parsed, err := jose.ParseSigned(token, algorithms)
	if err != nil {
		return nil, err
	}
	header := parsed.Signatures[0].Header
	// RFC 9068: rejects an ID token of the same issuer, which passes all other checks.
	kind, _ := header.ExtraHeaders[jose.HeaderType].(string)
	if strings.TrimPrefix(strings.ToLower(kind), "application/") != "at+jwt" {
		return nil, errors.New("typ is not at+jwt")
	}
	found, err := k.with(header.KeyID)
	if err != nil {
		return nil, err
	}
	for _, key := range found {
		if key.Algorithm == header.Algorithm {
			return parsed.Verify(key)
		}
	}
	return nil, errors.New("no key for this kid and alg")
}

// verify returns the subject of an access token for this API, and an error for any other token.
func verify(token string, verifier *oidc.IDTokenVerifier) (string, error) {
	checked, err := verifier.Verify(context.Background(), token)
	if err != nil {
		return "", err
	}
	// go-oidc requires iss, aud and exp only.
	var claims struct {
		Subject  string `json:"sub"`
		ID       string `json:"jti"`
		ClientID string `json:"client_id"`
		IssuedAt int64  `json:"iat"`
	}
	if err := checked.Claims(&claims); err != nil {
		return "", err
	}
	if claims.Subject == "" || claims.ID == "" || claims.ClientID == "" || claims.IssuedAt == 0 {
		return "", errors.New("sub, jti, client_id or iat is missing")
	}
	return claims.Subject, nil
}

func main() {
	config := oidc.Config{ClientID: os.Getenv("AUDIENCE")}
	for _, algorithm := range algorithms {
		config.SupportedSigningAlgs = append(config.SupportedSigningAlgs, string(algorithm))
	}
	verifier := oidc.NewVerifier(issuer, &keys{}, &config)
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if subject, err := verify(lines.Text(), verifier); err == nil {
			fmt.Println("accepted", subject)
		} else {
			// For your log only. Answer the client with "invalid_token" and nothing more.
			fmt.Printf("refused %q\n", err)
		}
	}
}
