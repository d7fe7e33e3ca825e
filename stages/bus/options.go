package bus

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
)

// Options say where the server is and who asks. At most one of Creds, NKey, Token and User is given.
type Options struct {
	// URL of the server, or several separated by commas: nats://host:4222 or tls://host:4222.
	// It may not contain a user, password or token: addresses end up in logs and process lists.
	URL string
	// Creds is the path of a credentials file (JWT and seed).
	Creds string
	// NKey is the path of a file with an nkey seed.
	NKey string
	// Token, or User and Password: read them from a file or the environment.
	Token, User, Password string
	// TLSCA is the path of a PEM file with the authorities that sign the server's certificate.
	TLSCA string
	// TLSCert and TLSKey are PEM files with the client's own certificate.
	TLSCert, TLSKey string
	// Name of this process, as the server shows it.
	Name string
	// Log gets connection changes and what is waited for; nil means slog.Default().
	Log *slog.Logger
	// ConnectWait bounds the first connection, so that a server started at the same time is found; 0 means 5 s.
	ConnectWait time.Duration
	// Patience is how long one operation is tried again while the server is away or full; 0 means 2 minutes.
	Patience time.Duration
}

// servers checks the addresses and returns them with anything that looks like a secret cut out.
func servers(urls string) (redacted string, err error) {
	if strings.TrimSpace(urls) == "" {
		return "", errors.New("no nats server address given: expected one such as nats://127.0.0.1:4222")
	}
	var out []string
	for _, one := range strings.Split(urls, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, perr := url.Parse(one)
		if at := strings.LastIndex(one, "@"); (perr == nil && u.User != nil) || (perr != nil && at >= 0) {
			host := one[at+1:]
			return "", fmt.Errorf("%w of %s: they would show in logs and process lists; give a credentials file, "+
				"an nkey seed file, or a token or password from a file or the environment instead", ErrSecretInURL, host)
		}
		if perr != nil || u.Host == "" {
			return "", fmt.Errorf("nats server address %q: expected nats://host:port or tls://host:port", one)
		}
		out = append(out, one)
	}
	return strings.Join(out, ","), nil
}

// natsOptions turns the options into the client's. Files are opened here, so that a missing one is
// reported by its name and before any connection is tried.
func (o Options) natsOptions() ([]nats.Option, error) {
	var opts []nats.Option
	ways := 0
	if o.Creds != "" {
		ways++
		if _, err := os.ReadFile(o.Creds); err != nil {
			return nil, fmt.Errorf("nats credentials file: %w", err)
		}
		opts = append(opts, nats.UserCredentials(o.Creds))
	}
	if o.NKey != "" {
		ways++
		opt, err := nats.NkeyOptionFromSeed(o.NKey)
		if err != nil {
			return nil, fmt.Errorf("nkey seed file %s: %w", o.NKey, err)
		}
		opts = append(opts, opt)
	}
	if o.Token != "" {
		ways++
		opts = append(opts, nats.Token(o.Token))
	}
	if o.User != "" {
		ways++
		opts = append(opts, nats.UserInfo(o.User, o.Password))
	}
	if ways > 1 {
		return nil, errors.New("nats: expected one of credentials file, nkey, token and user, found several")
	}
	if o.TLSCA != "" {
		pem, err := os.ReadFile(o.TLSCA)
		if err != nil {
			return nil, fmt.Errorf("nats tls authorities: %w", err)
		}
		if !x509.NewCertPool().AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("nats tls authorities: %s: expected PEM certificates, found none", o.TLSCA)
		}
		opts = append(opts, nats.RootCAs(o.TLSCA))
	}
	if (o.TLSCert == "") != (o.TLSKey == "") {
		return nil, errors.New("nats tls: a client certificate and its key must be given together")
	}
	if o.TLSCert != "" {
		if _, err := tls.LoadX509KeyPair(o.TLSCert, o.TLSKey); err != nil {
			return nil, fmt.Errorf("nats tls certificate %s with key %s: %w", o.TLSCert, o.TLSKey, err)
		}
		opts = append(opts, nats.ClientCert(o.TLSCert, o.TLSKey))
	}
	if o.Name != "" {
		opts = append(opts, nats.Name(o.Name))
	}
	return opts, nil
}
