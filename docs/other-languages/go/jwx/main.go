// Validates access tokens with jwx, one per line of the input.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/lestrrat-go/httprc/v3"
	"github.com/lestrrat-go/jwx/v3/jwa"
	"github.com/lestrrat-go/jwx/v3/jwk"
	"github.com/lestrrat-go/jwx/v3/jws"
	"github.com/lestrrat-go/jwx/v3/jwt"
)

// Only asymmetric algorithms that your issuer uses. Never take them from the token.
var algorithms = []jwa.SignatureAlgorithm{jwa.ES256(), jwa.EdDSA(), jwa.RS256()}

// keys are the issuer's. jwx fetches them at an interval, and not for an unknown kid.
type keys struct {
	url       string
	cache     *jwk.Cache
	mutex     sync.Mutex
	refreshed time.Time
}

// cooldown limits the fetches for unknown kids.
const cooldown = 30 * time.Second

func newKeys(ctx context.Context, url string) (*keys, error) {
	cache, err := jwk.NewCache(ctx, httprc.NewClient())
	if err != nil {
		return nil, err
	}
	// By default, 15 minutes at least.
	err = cache.Register(ctx, url, jwk.WithConstantInterval(5*time.Minute))
	return &keys{url: url, cache: cache}, err
}

// with returns the key of this kid, and fetches the keys again if there is none.
func (k *keys) with(ctx context.Context, kid string) (jwk.Key, error) {
	set, err := k.cache.Lookup(ctx, k.url)
	if err != nil {
		return nil, err
	}
	if key, found := set.LookupKeyID(kid); found {
		return key, nil
	}
	k.mutex.Lock()
	defer k.mutex.Unlock()
	if time.Since(k.refreshed) > cooldown {
		k.refreshed = time.Now()
		if set, err = k.cache.Refresh(ctx, k.url); err != nil {
			return nil, err
		}
	}
	if key, found := set.LookupKeyID(kid); found {
		return key, nil
	}
	return nil, errors.New("unknown kid")
}

// verify returns an access token for this API, and an error for any other token.
func verify(ctx context.Context, token string, keys *keys) (jwt.Token, error) {
	message, err := jws.Parse([]byte(token), jws.WithCompact())
	if err != nil {
		return nil, err
	}
	header := message.Signatures()[0].ProtectedHeaders()
	// RFC 9068: rejects an ID token of the same issuer, which passes all other checks.
	kind, _ := header.Type()
	if strings.TrimPrefix(strings.ToLower(kind), "application/") != "at+jwt" {
		return nil, errors.New("typ is not at+jwt")
	}
	// With a key set instead of a key, jwx takes the key's algorithm and ignores the header's.
	algorithm, _ := header.Algorithm()
	if !slices.Contains(algorithms, algorithm) {
		return nil, errors.New("alg is not one of the issuer's")
	}
	kid, _ := header.KeyID()
	key, err := keys.with(ctx, kid)
	if err != nil {
		return nil, err
	}
	return jwt.Parse([]byte(token),
		jwt.WithKey(algorithm, key),
		jwt.WithIssuer(os.Getenv("ISSUER")),
		jwt.WithAudience(os.Getenv("AUDIENCE")),
		jwt.WithAcceptableSkew(10*time.Second),
		// Without these, a token without exp would never expire.
		jwt.WithRequiredClaim("exp"),
		jwt.WithRequiredClaim("iat"),
		jwt.WithRequiredClaim("sub"),
		jwt.WithRequiredClaim("jti"),
		jwt.WithRequiredClaim("client_id"),
	)
}

func main() {
	ctx := context.Background()
	keys, err := newKeys(ctx, os.Getenv("ISSUER")+"/.well-known/jwks.json")
	if err != nil {
		log.Fatal(err)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if token, err := verify(ctx, lines.Text(), keys); err == nil {
			subject, _ := token.Subject()
			fmt.Println("accepted", subject)
		} else {
			// For your log only. Answer the client with "invalid_token" and nothing more.
			fmt.Printf("refused %q\n", err)
		}
	}
}
