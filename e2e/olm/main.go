// Validates a bundle for the Operator Lifecycle Manager with the validators of `operator-sdk bundle validate`. Prints every finding
// and fails on an error.
package main

import (
	"fmt"
	"os"

	"github.com/operator-framework/api/pkg/manifests"
	"github.com/operator-framework/api/pkg/validation"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: olm FOLDER")
		os.Exit(2)
	}
	bundle, err := manifests.GetBundleFromDir(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	// Neither the validators that pull the image, nor those that know a removed API only by the plural of its kind.
	validators := append(validation.DefaultBundleValidators, validation.OperatorHubV2Validator, validation.GoodPracticesValidator)
	failed := false
	for _, result := range validators.Validate(bundle.ObjectsToValidate()...) {
		for _, warning := range result.Warnings {
			fmt.Println(warning.Error())
		}
		for _, err := range result.Errors {
			fmt.Println(err.Error())
			failed = true
		}
	}
	if failed {
		os.Exit(1)
	}
}
