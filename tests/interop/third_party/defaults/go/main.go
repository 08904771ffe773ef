// Validates access tokens with the libraries' defaults, one per line of the input: what the guide's
// programs in docs/other-languages must set is seen here.
package main

import (
	"bufio"
	"context"
	"fmt"
	"log"
	"os"

	"github.com/MicahParks/keyfunc/v3"
	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/golang-jwt/jwt/v5"
	"github.com/lestrrat-go/jwx/v3/jwk"
	jwxjwt "github.com/lestrrat-go/jwx/v3/jwt"
)

func main() {
	ctx := context.Background()
	issuer, audience := os.Getenv("ISSUER"), os.Getenv("AUDIENCE")
	url := issuer + "/.well-known/jwks.json"
	var verify func(token string) error
	switch library := os.Args[1]; library {
	case "golang-jwt":
		keys, err := keyfunc.NewDefaultCtx(ctx, []string{url})
		if err != nil {
			log.Fatal(err)
		}
		verify = func(token string) error {
			_, err := jwt.Parse(token, keys.Keyfunc)
			return err
		}
	case "jwx":
		keys, err := jwk.Fetch(ctx, url)
		if err != nil {
			log.Fatal(err)
		}
		verify = func(token string) error {
			_, err := jwxjwt.Parse([]byte(token), jwxjwt.WithKeySet(keys))
			return err
		}
	case "go-oidc":
		provider, err := oidc.NewProvider(ctx, issuer)
		if err != nil {
			log.Fatal(err)
		}
		verifier := provider.Verifier(&oidc.Config{ClientID: audience})
		verify = func(token string) error {
			_, err := verifier.Verify(ctx, token)
			return err
		}
	case "go-oidc without metadata":
		verifier := oidc.NewVerifier(issuer, oidc.NewRemoteKeySet(ctx, url), &oidc.Config{ClientID: audience})
		verify = func(token string) error {
			_, err := verifier.Verify(ctx, token)
			return err
		}
	default:
		log.Fatalf("unknown library %q", library)
	}
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		if err := verify(lines.Text()); err == nil {
			fmt.Println("accepted")
		} else {
			fmt.Printf("refused %q\n", err)
		}
	}
}
