package lambdaapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"

	"cleat/internal/apigw"
	"cleat/internal/codestore"
	"cleat/internal/controlapi"
)

// code is where a request says that a function's code is: CreateFunction's Code, and members of UpdateFunctionCode.
type code struct {
	ZipFile  []byte `json:"ZipFile"`
	S3Bucket string `json:"S3Bucket"`
	S3Key    string `json:"S3Key"`
	ImageURI string `json:"ImageUri"`
}

// folderBuckets are the buckets whose keys are folders of this machine. The second is LocalStack's name for it, which
// people have in their scripts.
var folderBuckets = []string{"local", "hot-reload"}

// take makes f run the code: a zip file is kept, a folder of this machine is run where it is.
func (s *service) take(ctx context.Context, c *code, f *apigw.Function) error {
	switch {
	case c.ImageURI != "":
		return invalid("Cleat runs no container images. Send the code as a zip file (ZipFile), or name where the function runs under remoteFunctions in cleat.yaml")
	case len(c.ZipFile) > 0 && (c.S3Bucket != "" || c.S3Key != ""):
		return invalid("Please do not provide other FunctionCode parameters when providing a ZipFile.")
	case len(c.ZipFile) > 0:
		kept, err := s.Code.Put(ctx, bytes.NewReader(c.ZipFile), "")
		if err != nil {
			return codeError(err)
		}
		f.CodeDir, f.CodeSHA256, f.CodeSize = "", kept.SHA256, kept.Size
		return nil
	case slices.Contains(folderBuckets, c.S3Bucket):
		info, err := os.Stat(c.S3Key)
		if !filepath.IsAbs(c.S3Key) || err != nil || !info.IsDir() {
			return invalid("S3Key %q: with the S3Bucket %q it is the absolute path of a folder on the machine that Cleat runs on, and there is no such folder", c.S3Key, c.S3Bucket)
		}
		f.CodeDir, f.CodeSHA256, f.CodeSize = filepath.Clean(c.S3Key), "", 0
		return nil
	case c.S3Bucket != "" || c.S3Key != "":
		return invalid("Cleat reads no code from S3. Send the zip file itself (ZipFile, --zip-file fileb://…), or name a folder of the machine that Cleat runs on: S3Bucket %q, S3Key the absolute path", folderBuckets[0])
	}
	return invalid("Please provide a source for function code.")
}

func invalid(format string, args ...any) error {
	return &apigw.Error{Kind: apigw.KindBadRequest, Message: fmt.Sprintf(format, args...)}
}

// codeError is an error of the code store as Lambda tells it.
func codeError(err error) error {
	switch {
	case errors.Is(err, codestore.ErrInvalid):
		return invalid("Could not unzip uploaded file. Please check your file, then try to upload again. (%v)", err)
	case errors.Is(err, codestore.ErrTooLarge):
		return invalid("Unzipped size must be smaller than %d bytes, zipped %d: %v", apigw.QuotaFunctionCode, apigw.QuotaFunctionZip, err)
	}
	return err
}

// CodeService returns the operations by which "cleat apply" sends the code of functions before it names it, by the SHA-256
// of a zip file in hexadecimal:
//
//	PUT  /_cleat/code/{sha256}   the zip file; 200 with {"sha256": …, "size": …}, also where it is there already
//	HEAD /_cleat/code/{sha256}   200 where it is there, else 404
//
// What no function names within an hour after either is removed again.
func CodeService(store *codestore.Store) controlapi.Service {
	u := &uploads{store}
	at := func(c *controlapi.Call) string {
		return "arn:" + c.Partition + ":cleat:" + c.Region + ":" + c.Account + ":code/" + c.Path("sha256")
	}
	const path = "/_cleat/code/{sha256}"
	return controlapi.Service{Name: "cleat", Operations: []controlapi.Operation{
		{Name: "PutCode", Method: "PUT", Path: path, Action: "cleat:PutCode", Resource: at, Changes: true, MaxBody: apigw.QuotaFunctionZip, Do: u.put},
		{Name: "HeadCode", Method: "HEAD", Path: path, Action: "cleat:PutCode", Resource: at, Do: u.head},
	}}
}

type uploads struct{ store *codestore.Store }

// uploaded is what PutCode answers.
type uploaded struct {
	SHA256 string `json:"sha256"`
	Size   int64  `json:"size"`
}

func (u *uploads) put(c *controlapi.Call) (controlapi.Answer, error) {
	sha := c.Path("sha256")
	if !codestore.IsHash(sha) {
		return controlapi.Answer{}, invalid("%q is not a SHA-256 in hexadecimal, small letters", sha)
	}
	kept, err := u.store.Put(c.Context, bytes.NewReader(c.Body), sha)
	if errors.Is(err, codestore.ErrHash) || errors.Is(err, codestore.ErrInvalid) || errors.Is(err, codestore.ErrTooLarge) {
		return controlapi.Answer{}, invalid("%v", err)
	}
	if err != nil {
		return controlapi.Answer{}, err
	}
	return controlapi.OK(uploaded(kept)), nil
}

func (u *uploads) head(c *controlapi.Call) (controlapi.Answer, error) {
	_, err := u.store.Stat(c.Path("sha256"))
	if errors.Is(err, codestore.ErrNotFound) {
		return controlapi.Answer{}, &apigw.Error{Kind: apigw.KindNotFound, Message: err.Error()}
	}
	return controlapi.Answer{Status: http.StatusOK}, err
}
