// A task as it would be written with the AWS SDK for Go v2 and its default credential chain.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

func put(bucket, key string) error {
	settings, err := config.LoadDefaultConfig(context.Background())
	if err != nil {
		return err
	}
	client := s3.NewFromConfig(settings, func(o *s3.Options) { o.UsePathStyle = true })
	_, err = client.PutObject(context.Background(), &s3.PutObjectInput{
		Bucket: &bucket, Key: &key, Body: strings.NewReader("content"),
	})
	return err
}

func main() {
	mode, bucket, key := os.Args[1], os.Args[2], os.Args[3]
	rounds := 1
	if mode == "put-twice" {
		rounds = 2
	}
	for i := 0; i < rounds; i++ {
		if i > 0 {
			fmt.Println("FIRST")
			bufio.NewReader(os.Stdin).ReadString('\n')
		}
		if err := put(bucket, key); err != nil {
			fmt.Println("ERR", err)
			os.Exit(1)
		}
	}
	fmt.Println("OK")
}
