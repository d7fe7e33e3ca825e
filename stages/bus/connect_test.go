package bus

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"openrs/stages/bus/bustest"
)

func TestConnectRefusals(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0") // a port where nobody answers, once closed
	if err != nil {
		t.Fatal(err)
	}
	nobody := "nats://" + l.Addr().String()
	l.Close()
	noJS := bustest.Start(t, func(o *server.Options) { o.JetStream = false })
	token := bustest.Start(t, func(o *server.Options) { o.Authorization = "s3cret" })
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		o    Options
		want []string
	}{
		"no server":    {Options{URL: nobody}, []string{"no nats server", nobody, "nats-server -js"}},
		"secret":       {Options{URL: "nats://u:p@h"}, []string{"credentials in the server address", "of h:"}},
		"no jetstream": {Options{URL: noJS.URL}, []string{"server without JetStream", noJS.URL}},
		"no token":     {Options{URL: token.URL}, []string{"refused the credentials"}},
		"wrong token":  {Options{URL: token.URL, Token: "other"}, []string{"refused the credentials"}},
		"creds":        {Options{URL: nobody, Creds: "/no/creds"}, []string{"credentials file", "/no/creds"}},
		"nkey":         {Options{URL: nobody, NKey: "/no/seed"}, []string{"nkey seed file", "/no/seed"}},
		"ca":           {Options{URL: nobody, TLSCA: empty}, []string{"tls authorities", empty, "found none"}},
		"half a pair":  {Options{URL: nobody, TLSCert: empty}, []string{"together"}},
		"bad pair":     {Options{URL: nobody, TLSCert: empty, TLSKey: empty}, []string{"tls certificate", empty}},
		"two ways":     {Options{URL: nobody, Token: "a", User: "b"}, []string{"found several"}},
	} {
		c.o.Log = quiet()
		if name == "no server" {
			c.o.ConnectWait = 100 * time.Millisecond
		}
		b, err := Connect(within(t), c.o)
		if err == nil {
			b.Close()
			t.Errorf("%s: connected", name)
			continue
		}
		for _, w := range c.want {
			if !strings.Contains(err.Error(), w) || strings.Contains(err.Error(), "\n") {
				t.Errorf("%s: expected one line with %q, got %q", name, w, err)
			}
		}
	}
}

func TestConnectWaitsForAServerThatStarts(t *testing.T) {
	s := bustest.Start(t)
	s.Stop()
	up := make(chan struct{})
	go func() {
		defer close(up)
		time.Sleep(50 * time.Millisecond)
		s.Restart()
	}()
	connect(t, s)
	<-up
}

func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	user, err := nkeys.CreateUser()
	if err != nil {
		t.Fatal(err)
	}
	seed, _ := user.Seed()
	public, _ := user.PublicKey()
	seedFile := filepath.Join(dir, "seed.nk")
	if err := os.WriteFile(seedFile, seed, 0o600); err != nil {
		t.Fatal(err)
	}
	ca, cert, key := certificates(t, dir)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pemCA, _ := os.ReadFile(ca)
	pool.AppendCertsFromPEM(pemCA)
	for name, c := range map[string]struct {
		server func(*server.Options)
		o      Options
	}{
		"token": {func(o *server.Options) { o.Authorization = "s3cret" }, Options{Token: "s3cret"}},
		"user":  {func(o *server.Options) { o.Username, o.Password = "u", "p" }, Options{User: "u", Password: "p"}},
		"nkey": {func(o *server.Options) { o.Nkeys = []*server.NkeyUser{{Nkey: public}} },
			Options{NKey: seedFile}},
		"mutual tls": {func(o *server.Options) {
			o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
		}, Options{TLSCA: ca, TLSCert: cert, TLSKey: key}},
	} {
		t.Run(name, func(t *testing.T) {
			s := bustest.Start(t, c.server)
			c.o.URL, c.o.Log = s.URL, quiet()
			b, err := Connect(within(t), c.o)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			if !b.Connected() || b.MaxPayload() != bustest.MaxPayload {
				t.Errorf("connected %v, max payload %d", b.Connected(), b.MaxPayload())
			}
		})
	}
}

// certificates writes an authority and one certificate for both sides of 127.0.0.1.
func certificates(t *testing.T, dir string) (ca, cert, key string) {
	t.Helper()
	make := func(name string, parent *x509.Certificate, signer *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey, string) {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		tpl := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
			NotAfter: time.Now().Add(time.Hour), IsCA: parent == nil, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
			KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
		if parent == nil {
			parent, signer = tpl, k
		}
		der, err := x509.CreateCertificate(rand.Reader, tpl, parent, &k.PublicKey, signer)
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, name+".pem")
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		c, _ := x509.ParseCertificate(der)
		return c, k, path
	}
	caCert, caKey, ca := make("ca", nil, nil)
	_, k, cert := make("peer", caCert, caKey)
	der, err := x509.MarshalECPrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	key = filepath.Join(dir, "peer.key")
	if err := os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return ca, cert, key
}
